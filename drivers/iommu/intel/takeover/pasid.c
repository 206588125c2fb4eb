// SPDX-License-Identifier: GPL-2.0-only
/*
 * PASID directories and tables.
 *
 * Of these structures of the crashed kernel only the domain ids are read, which
 * tag what the caches hold for a device. They stay where they are, but for the
 * way to an entry whose id the driver needs: that is copied. What else they say
 * is not judged.
 */
#include <linux/bitmap.h>
#include <linux/bitops.h>
#include <linux/compiler.h>
#include <linux/errno.h>
#include <linux/gfp.h>
#include <linux/io.h>
#include <linux/minmax.h>

#include "env.h"
#include "unit.h"

/* Read at once, on the stack. */
#define PART_WORDS	64u

/*
 * Pages of directories and tables of one unit that are read: the directories
 * of two thousand functions that have every PASID. More are pages that repeat
 * themselves, and would take for ever.
 */
#define PASID_PAGES_MAX		65536

/* Domains of one device. One that has more takes them from all others. */
#define DEVICE_TAGS_MAX		1024

/* Pages of a unit's copies: they are the kdump kernel's memory. */
#define COPIES_MAX	(TAKEOVER_COPY_PAGES * VTD_TABLE_WORDS)

#define PDES_PER_PAGE		((unsigned int)(VTD_TABLE_SIZE / sizeof(u64)))

/* A directory may be less than a page. */
static bool too_many(struct takeover_unit *unit, size_t size)
{
	unit->nr_pasid_pages += (size + VTD_TABLE_SIZE - 1) / VTD_TABLE_SIZE;
	return unit->nr_pasid_pages > PASID_PAGES_MAX;
}

/**
 * takeover_rid_pasid - the PASID of requests that have none
 * @unit: unit in scalable mode
 * @entry: context entry
 *
 * 9.4: without ECAP.RPS the field is reserved, and the PASID is 0.
 */
unsigned int takeover_rid_pasid(const struct takeover_unit *unit,
				const u64 *entry)
{
	if (!(unit->ecap & VTD_ECAP_RPS))
		return 0;
	return FIELD_GET(VTD_SM_CTX_RID_PASID, entry[1]);
}

/*
 * Poison is of no use to the unit either, and needs no id. What cannot be read
 * for another reason may need any.
 */
static int unless_poison(int ret)
{
	return ret == -EIO ? 0 : ret;
}

/* What the caches are not filled from needs no id. */
static int reserve_ids(struct takeover_unit *unit, u16 rid, phys_addr_t addr,
		       unsigned int entries)
{
	u64 part[PART_WORDS];
	unsigned int i, words;
	int ret;

	if (!takeover_oldmem_plausible(addr, entries * VTD_PTE_SIZE))
		return 0;

	for (; entries; entries -= words / VTD_PTE_WORDS) {
		words = min(entries * VTD_PTE_WORDS, PART_WORDS);
		ret = vtd_read_oldmem(part, addr, words * sizeof(u64));
		if (ret)
			return unless_poison(ret);
		for (i = 0; i < words; i += VTD_PTE_WORDS) {
			if (!(part[i] & VTD_CTX_PRESENT))
				continue;
			ret = takeover_tag(unit, rid,
					   FIELD_GET(VTD_PTE_DID, part[i + 1]));
			if (ret)
				return ret;
		}
		addr += words * sizeof(u64);
	}
	return 0;
}

/* Requests without PASID use one entry. */
static int reserve_rid_pasid(struct takeover_unit *unit, u16 rid,
			     const u64 *entry)
{
	unsigned int pasid = takeover_rid_pasid(unit, entry);
	size_t at = pasid / VTD_PASIDS_PER_TABLE * sizeof(u64);
	u64 pde;
	int ret;

	if (at >= vtd_pasid_directory_size(entry[0]))
		return 0;
	ret = vtd_read_oldmem(&pde, (entry[0] & VTD_SM_CTX_PASIDDIRPTR) + at,
			      sizeof(pde));
	if (ret)
		return unless_poison(ret);
	if (!(pde & VTD_CTX_PRESENT))
		return 0;
	return reserve_ids(unit, rid,
			   (pde & VTD_PDE_SMPTBLPTR) +
			   pasid % VTD_PASIDS_PER_TABLE * VTD_PTE_SIZE, 1);
}

static int reserve_all(struct takeover_unit *unit, u16 rid, const u64 *entry)
{
	phys_addr_t addr = entry[0] & VTD_SM_CTX_PASIDDIRPTR;
	size_t size = vtd_pasid_directory_size(entry[0]);
	u64 part[PART_WORDS];
	unsigned int i;
	int ret;

	if (too_many(unit, size))
		return -E2BIG;
	for (; size; size -= sizeof(part), addr += sizeof(part)) {
		ret = vtd_read_oldmem(part, addr, sizeof(part));
		if (ret == -EIO)
			continue;
		if (ret)
			return ret;
		for (i = 0; i < PART_WORDS; i++) {
			if (!(part[i] & VTD_CTX_PRESENT))
				continue;
			if (too_many(unit, VTD_TABLE_SIZE))
				return -E2BIG;
			ret = reserve_ids(unit, rid,
					  part[i] & VTD_PDE_SMPTBLPTR,
					  VTD_PASIDS_PER_TABLE);
			if (ret)
				return ret;
		}
	}
	return 0;
}

/**
 * takeover_reserve_pasids - keep the domain ids of a device's PASIDs
 * @unit: unit in scalable mode
 * @rid: its requester id
 * @entry: the device's context entry; its directory lies in old RAM
 *
 * What is poisoned, or is not in old RAM, is passed over.
 *
 * Return: 0; -E2BIG if there are more of them than can be true; -ENOMEM.
 */
int takeover_reserve_pasids(struct takeover_unit *unit, u16 rid,
			    const u64 *entry)
{
	unsigned int before = unit->nr_tags;
	int ret;

	if (entry[0] & VTD_SM_CTX_PASIDE)
		ret = reserve_all(unit, rid, entry);
	else
		ret = reserve_rid_pasid(unit, rid, entry);
	if (!ret && unit->nr_tags - before > DEVICE_TAGS_MAX)
		ret = -E2BIG;
	if (ret)
		unit->nr_tags = before;
	return ret;
}

static u64 *copy_at(const struct takeover_unit *unit, unsigned int i)
{
	return &unit->copies[i / VTD_TABLE_WORDS][i % VTD_TABLE_WORDS];
}

static u64 *alloc_copy(struct takeover_unit *unit)
{
	u64 *table, **page;

	/* Half of what is left at most, as a guard takes. */
	if (unit->nr_copies == COPIES_MAX ||
	    unit->nr_copies >= unit->pool->left)
		return NULL;
	page = &unit->copies[unit->nr_copies / VTD_TABLE_WORDS];
	if (!*page)
		*page = vtd_alloc_table(unit, TAKEOVER_GFP);
	if (!*page)
		return NULL;
	table = vtd_alloc_table(unit, TAKEOVER_GFP);
	if (!table)
		return NULL;
	*copy_at(unit, unit->nr_copies++) = virt_to_phys(table);
	unit->pool->left--;
	return table;
}

/* Mostly it is one of the last. */
static void free_copy(struct takeover_unit *unit, u64 *table)
{
	u64 last = *copy_at(unit, --unit->nr_copies), addr = virt_to_phys(table);
	unsigned int i;

	for (i = unit->nr_copies; i && last != addr; )
		if (*copy_at(unit, --i) == addr) {
			*copy_at(unit, i) = last;
			break;
		}
	vtd_free_table(table);
	unit->pool->left++;
}

/**
 * takeover_is_copy - is this a copy of a PASID table or directory?
 * @unit: unit
 * @addr: physical address, as an old entry or one of ours has it
 */
bool takeover_is_copy(const struct takeover_unit *unit, u64 addr)
{
	unsigned int i;

	for (i = 0; i < unit->nr_copies; i++)
		if (*copy_at(unit, i) == addr)
			return true;
	return false;
}

/*
 * The table of a directory entry, in a copy if an id of it has to change.
 *
 * Return: 1 if it is a copy now, 0 if not; a negative errno.
 */
static int retag_table(struct takeover_unit *unit, u16 rid, u64 *pde)
{
	phys_addr_t addr = *pde & VTD_PDE_SMPTBLPTR;
	u64 *table;
	unsigned int i;
	int ret, changed = 0;

	if (!(*pde & VTD_CTX_PRESENT) ||
	    !takeover_oldmem_plausible(addr, VTD_TABLE_SIZE))
		return 0;

	table = alloc_copy(unit);
	if (!table)
		return -ENOMEM;
	ret = vtd_read_oldmem(table, addr, VTD_TABLE_SIZE);
	if (ret) {
		free_copy(unit, table);
		return unless_poison(ret);
	}
	for (i = 0; i < VTD_TABLE_WORDS && ret >= 0; i += VTD_PTE_WORDS) {
		ret = takeover_retag_pasid(unit, rid, table + i);
		changed |= ret;
	}
	if (ret >= 0 && changed) {
		vtd_flush_lines(table, VTD_TABLE_SIZE);
		WRITE_ONCE(*pde, virt_to_phys(table) |
				 (*pde & ~VTD_PDE_SMPTBLPTR));
		return 1;
	}
	free_copy(unit, table);
	return ret;
}

/* The entries of a directory that are used: all, or that of requests without PASID. */
struct pdes {
	unsigned int	first;
	unsigned int	end;
};

static struct pdes used_pdes(const struct takeover_unit *unit, const u64 *entry)
{
	struct pdes used = {
		.end = vtd_pasid_directory_size(entry[0]) / sizeof(u64),
	};

	if (!(entry[0] & VTD_SM_CTX_PASIDE)) {
		used.first = takeover_rid_pasid(unit, entry) /
			     VTD_PASIDS_PER_TABLE;
		used.end = min(used.end, used.first + 1);
	}
	return used;
}

/*
 * A copy of the directory has one page. Is that enough?
 *
 * Return: 0, if there is nothing in the others; 1, if what there is could stay;
 * -E2BIG, if it could not.
 */
static int look_beyond(struct takeover_unit *unit, u16 rid, const u64 *entry)
{
	phys_addr_t addr = entry[0] & VTD_SM_CTX_PASIDDIRPTR;
	struct pdes used = used_pdes(unit, entry);
	unsigned int at = max(used.first, PDES_PER_PAGE), i, words;
	u64 part[PART_WORDS];
	int ret, found = 0;

	/* It is all of them, or one. */
	for (; at < used.end; at += words) {
		words = min(used.end - at, PART_WORDS);
		if (vtd_read_oldmem(part, addr + at * sizeof(u64),
				    words * sizeof(u64)))
			return -EIO;
		for (i = 0; i < words; i++) {
			if (!(part[i] & VTD_CTX_PRESENT))
				continue;
			found = 1;
			ret = retag_table(unit, rid, part + i);
			if (ret > 0)
				free_copy(unit, phys_to_virt(part[i] &
							     VTD_PDE_SMPTBLPTR));
			if (ret)
				return ret < 0 ? ret : -E2BIG;
		}
	}
	return found;
}

/* Sets a bit in @copied for each table of the directory that is a copy now. */
static int retag_tables(struct takeover_unit *unit, u16 rid, const u64 *entry,
			u64 *directory, unsigned long *copied)
{
	struct pdes used = used_pdes(unit, entry);
	unsigned int i;
	int ret;

	for (i = used.first; i < min(used.end, PDES_PER_PAGE); i++) {
		ret = retag_table(unit, rid, directory + i);
		if (ret < 0)
			return ret;
		if (ret)
			__set_bit(i, copied);
	}
	return 0;
}

static int copy_directory(struct takeover_unit *unit, u16 rid, const u64 *entry,
			  u64 *directory, unsigned long *copied)
{
	phys_addr_t addr = entry[0] & VTD_SM_CTX_PASIDDIRPTR;
	size_t size = vtd_pasid_directory_size(entry[0]);
	int beyond, ret;

	if (vtd_read_oldmem(directory, addr, min(size, VTD_TABLE_SIZE)))
		return -EIO;
	beyond = look_beyond(unit, rid, entry);
	if (beyond < 0)
		return beyond;
	ret = retag_tables(unit, rid, entry, directory, copied);
	if (!ret && beyond && !bitmap_empty(copied, PDES_PER_PAGE))
		return -E2BIG;
	return ret;
}

/**
 * takeover_retag_pasids - give a device's PASIDs ids that are not the driver's
 * @unit: unit in scalable mode, ids of all old entries reserved
 * @rid: the device's requester id
 * @entry: our copy of its context entry, which is made to lead to copies
 *
 * Return: 0; -ENOSPC or the like if there is no id; -E2BIG if the directory is
 * in use beyond its first page; -EIO if it cannot be read; -ENOMEM.
 */
int takeover_retag_pasids(struct takeover_unit *unit, u16 rid, u64 *entry)
{
	DECLARE_BITMAP(copied, PDES_PER_PAGE) = { };
	unsigned int i;
	u64 *directory = alloc_copy(unit);
	u64 word = entry[0];
	int ret;

	if (!directory)
		return -ENOMEM;
	ret = copy_directory(unit, rid, entry, directory, copied);
	if (!ret && !bitmap_empty(copied, PDES_PER_PAGE)) {
		vtd_flush_lines(directory, VTD_TABLE_SIZE);
		word &= ~(VTD_SM_CTX_PASIDDIRPTR | VTD_SM_CTX_PDTS);
		WRITE_ONCE(entry[0], word | virt_to_phys(directory) |
				     FIELD_PREP(VTD_SM_CTX_PDTS,
						VTD_PDTS_OF_PAGE));
		return 0;
	}

	for_each_set_bit(i, copied, PDES_PER_PAGE)
		free_copy(unit,
			  phys_to_virt(directory[i] & VTD_PDE_SMPTBLPTR));
	free_copy(unit, directory);
	return ret;
}
