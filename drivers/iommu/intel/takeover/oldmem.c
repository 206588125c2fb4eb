// SPDX-License-Identifier: GPL-2.0-only
/*
 * Which addresses are the crashed kernel's RAM.
 *
 * The kdump kernel's firmware map holds its own memory only. What the
 * crashed kernel called RAM is written in the PT_LOAD headers of the ELF core
 * header that it prepared for the dump. That header has to be read before
 * fs_initcall(vmcore_init) replaces it, that is, when the IOMMU is detected.
 *
 * This file judges addresses. It does not read tables, and it keeps no
 * mapping of old memory.
 */
#define pr_fmt(fmt) "DMAR: takeover: " fmt

#include <linux/cache.h>
#include <linux/elf.h>
#include <linux/errno.h>
#include <linux/init.h>
#include <linux/minmax.h>
#include <linux/overflow.h>
#include <linux/printk.h>
#include <linux/sizes.h>
#include <linux/string.h>

#include "env.h"
#include "unit.h"

/*
 * A map with more pieces than this is not one that a machine has; what does
 * not fit is not known to be RAM, and tables in it are not adopted.
 */
#define OLDMEM_RANGES	512

/* Of the ELF core header, with room for processors and ranges to come. */
#define HEADER_PAGES	64

struct oldmem_range {
	u64	start;
	u64	end;	/* exclusive */
};

static struct oldmem_range oldmem[OLDMEM_RANGES] __ro_after_init;
static unsigned int nr_oldmem __ro_after_init;

/* Ranges come sorted, or nearly so: joining with the last one is enough. */
static int __init oldmem_add(u64 start, u64 size)
{
	struct oldmem_range *last;
	u64 end;

	if (!size || check_add_overflow(start, size, &end))
		return -EINVAL;

	if (nr_oldmem) {
		last = &oldmem[nr_oldmem - 1];
		if (start <= last->end && end >= last->start) {
			last->start = min(last->start, start);
			last->end = max(last->end, end);
			return 0;
		}
	}

	if (nr_oldmem == OLDMEM_RANGES)
		return -E2BIG;

	oldmem[nr_oldmem].start = start;
	oldmem[nr_oldmem].end = end;
	nr_oldmem++;
	return 0;
}

/*
 * kexec says where the header begins. Behind it is what its size was rounded up
 * by, to where memory begins that this kernel knows to be its own.
 */
static void __init forbid_header(u64 start, u64 end)
{
	struct takeover_span span;
	unsigned int i;
	u64 at;

	takeover_forbid(start, end);
	at = (end + VTD_TABLE_SIZE - 1) & ~(u64)(VTD_TABLE_SIZE - 1);
	for (i = 0; i < HEADER_PAGES; i++, at += VTD_TABLE_SIZE) {
		if (takeover_oldmem_plausible(at, VTD_TABLE_SIZE))
			return;
		if (!takeover_forbidden(at, VTD_TABLE_SIZE, &span))
			continue;
		takeover_forbid(end, at);
		return;
	}
}

/*
 * Nobody calls this kernel's what was kept for the dump: the header itself, and
 * what of the old RAM was moved because this kernel needs its place.
 */
static void __init forbid_moved(const struct elf64_phdr *phdr)
{
	if (phdr->p_offset != phdr->p_paddr)
		takeover_forbid(phdr->p_offset, phdr->p_offset + phdr->p_filesz);
}

/**
 * takeover_oldmem_learn - read the map of the crashed kernel's RAM
 * @elfcorehdr: physical address of the ELF core header
 *
 * Replaces what was known before. A header that cannot be understood leaves
 * no map, and takeover_oldmem_plausible() falls back to what this kernel
 * knows of the address space. A single bad program header is passed over. The
 * header, and what it says was moved, joins the forbidden memory.
 *
 * Return: 0, -EIO if the header cannot be read, -EINVAL if it is none.
 */
int __init takeover_oldmem_learn(phys_addr_t elfcorehdr)
{
	unsigned int i, skipped = 0;
	struct elf64_hdr ehdr;
	struct elf64_phdr phdr;
	u64 at;

	nr_oldmem = 0;

	if (vtd_read_oldmem(&ehdr, elfcorehdr, sizeof(ehdr)))
		return -EIO;
	if (memcmp(ehdr.e_ident, ELFMAG, SELFMAG) ||
	    ehdr.e_ident[EI_CLASS] != ELFCLASS64 || ehdr.e_type != ET_CORE ||
	    ehdr.e_phentsize != sizeof(phdr) || ehdr.e_phoff > SZ_1M)
		return -EINVAL;

	at = elfcorehdr + ehdr.e_phoff;
	for (i = 0; i < ehdr.e_phnum; i++, at += sizeof(phdr)) {
		if (vtd_read_oldmem(&phdr, at, sizeof(phdr))) {
			nr_oldmem = 0;
			return -EIO;
		}
		if (phdr.p_type != PT_LOAD)
			continue;
		if (oldmem_add(phdr.p_paddr, phdr.p_memsz))
			skipped++;
		else
			forbid_moved(&phdr);
	}
	if (nr_oldmem)
		forbid_header(elfcorehdr, at);
	if (skipped)
		pr_warn("%u memory ranges of the ELF core header passed over\n",
			skipped);

	return nr_oldmem ? 0 : -EINVAL;
}

/**
 * takeover_oldmem_span - may this be a table in the crashed kernel's RAM?
 * @addr: physical address that an old table holds
 * @size: bytes that would be read there
 * @span: where to put addresses of which the same is true, @addr among them;
 *	  undefined if it is not
 *
 * Return: true if all of it lies in one range of the old RAM.
 */
bool takeover_oldmem_span(phys_addr_t addr, size_t size,
			  struct takeover_span *span)
{
	unsigned int i;
	u64 end;

	if (!addr || check_add_overflow((u64)addr, (u64)size, &end))
		return false;
	if (!nr_oldmem) {
		span->first = addr;
		span->last = addr;
		return vtd_may_be_old_ram(addr, size);
	}

	for (i = 0; i < nr_oldmem; i++) {
		if (addr >= oldmem[i].start && end <= oldmem[i].end) {
			span->first = max(oldmem[i].start, 1ULL);
			span->last = oldmem[i].end - size;
			return true;
		}
	}
	return false;
}

/**
 * takeover_oldmem_plausible - may this be a table in the crashed kernel's RAM?
 * @addr: physical address that an old table holds
 * @size: bytes that would be read there
 *
 * Return: true if all of it lies in one range of the old RAM.
 */
bool takeover_oldmem_plausible(phys_addr_t addr, size_t size)
{
	struct takeover_span span;

	return takeover_oldmem_span(addr, size, &span);
}

/**
 * takeover_oldmem_window - what to map at once to read there, and around there
 * @addr: physical address
 * @size: bytes that are to be read there
 * @window: where to put the first and the last byte; undefined if there is none
 *
 * A window lies in one range of the old RAM, holds nothing that this kernel
 * owns, and is at most TAKEOVER_WINDOW_SIZE large and aligned to that, so that
 * there is one for each number of addresses.
 *
 * Return: false if @addr is better mapped alone.
 */
bool takeover_oldmem_window(phys_addr_t addr, size_t size,
			    struct takeover_span *window)
{
	u64 first = addr & ~(TAKEOVER_WINDOW_SIZE - 1);
	u64 last = first + TAKEOVER_WINDOW_SIZE - 1;
	struct takeover_span free;

	if (!nr_oldmem || !takeover_oldmem_span(addr, 1, window) ||
	    takeover_forbidden(addr, size, &free))
		return false;
	window->first = max(max(window->first, free.first), first);
	window->last = min(min(window->last, free.last), last);
	return window->last - addr >= size - 1;
}

/**
 * takeover_oldmem_pages - how much RAM did the crashed kernel have?
 *
 * Return: in pages of 4 KiB, ~0 if that is not known.
 */
u64 takeover_oldmem_pages(void)
{
	u64 pages = 0;
	unsigned int i;

	for (i = 0; i < nr_oldmem; i++)
		pages += (oldmem[i].end - oldmem[i].start) / VTD_TABLE_SIZE;
	return nr_oldmem ? pages : ~0ULL;
}

/**
 * takeover_populated - is there anything at these addresses?
 * @start: physical address
 * @size: in bytes
 *
 * Return: false if nobody can mean them: they are no RAM, neither kernel's, no
 * firmware's memory, no registers, and not in a window of a bus. If the crashed
 * kernel's RAM is not known, it may be anywhere.
 */
bool takeover_populated(u64 start, u64 size)
{
	unsigned int i;

	if (!nr_oldmem)
		return true;
	for (i = 0; i < nr_oldmem; i++)
		if (start < oldmem[i].end && start + size > oldmem[i].start)
			return true;
	return vtd_is_populated(start, size);
}
