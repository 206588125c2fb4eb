// SPDX-License-Identifier: GPL-2.0-only
/*
 * Forbidden memory: what no device may reach before it is released.
 *
 * That is all that this kernel owns, from its first byte to its last one: what
 * its memory map calls RAM, in use already or not, and the ELF core header. It
 * is told here once, early, and asked for at each word of the old page tables.
 * Memory that firmware reserves for a device (RMRR, 8.4) is excepted.
 */
#define pr_fmt(fmt) "DMAR: takeover: " fmt

#include <linux/compiler.h>
#include <linux/minmax.h>
#include <linux/printk.h>

#include "env.h"
#include "unit.h"

/*
 * A kdump kernel has a handful of ranges. If there is no room for one more, the
 * two that are nearest to each other become one: too much is forbidden then.
 */
#define SHIELD_RANGES	64

struct shield_range {
	u64	start;
	u64	end;	/* exclusive */
};

/* In order, apart from each other. */
static struct shield_range shield[SHIELD_RANGES + 1];
static unsigned int nr_shield;

/* Word by word: the core calls no memmove(). */
static void set_range(unsigned int i, u64 start, u64 end)
{
	WRITE_ONCE(shield[i].start, start);
	WRITE_ONCE(shield[i].end, end);
}

static void remove_range(unsigned int i)
{
	for (nr_shield--; i < nr_shield; i++)
		set_range(i, shield[i + 1].start, shield[i + 1].end);
}

static void insert_range(unsigned int at, u64 start, u64 end)
{
	unsigned int i;

	for (i = nr_shield++; i > at; i--)
		set_range(i, shield[i - 1].start, shield[i - 1].end);
	set_range(at, start, end);
}

static void join_nearest(void)
{
	unsigned int i, nearest = 1;

	for (i = 2; i < nr_shield; i++)
		if (shield[i].start - shield[i - 1].end <
		    shield[nearest].start - shield[nearest - 1].end)
			nearest = i;
	shield[nearest - 1].end = shield[nearest].end;
	remove_range(nearest);
}

/**
 * takeover_forbid - add to the forbidden memory
 * @start: physical address, of a page or not
 * @end: the first address behind it
 */
void takeover_forbid(u64 start, u64 end)
{
	unsigned int i;

	start &= ~(u64)(VTD_TABLE_SIZE - 1);
	end = (end + VTD_TABLE_SIZE - 1) & ~(u64)(VTD_TABLE_SIZE - 1);
	if (start >= end)
		return;

	for (i = 0; i < nr_shield && shield[i].end < start; i++)
		;
	while (i < nr_shield && shield[i].start <= end) {
		start = min(start, shield[i].start);
		end = max(end, shield[i].end);
		remove_range(i);
	}
	insert_range(i, start, end);
	if (nr_shield > SHIELD_RANGES)
		join_nearest();
}

/**
 * takeover_allow - take from the forbidden memory
 * @start: physical address, of a page or not
 * @end: the first address behind it
 *
 * Return: true if any of it was forbidden.
 */
bool takeover_allow(u64 start, u64 end)
{
	struct shield_range old;
	bool any = false;
	unsigned int i;

	start &= ~(u64)(VTD_TABLE_SIZE - 1);
	end = (end + VTD_TABLE_SIZE - 1) & ~(u64)(VTD_TABLE_SIZE - 1);
	if (start >= end)
		return false;
	for (i = nr_shield; i--; ) {
		old = shield[i];
		if (old.start >= end || old.end <= start)
			continue;
		any = true;
		remove_range(i);
		if (end < old.end)
			insert_range(i, end, old.end);
		if (old.start < start)
			insert_range(i, old.start, start);
		if (nr_shield > SHIELD_RANGES)
			join_nearest();
	}
	return any;
}

/**
 * takeover_forbid_nothing - start anew
 */
void takeover_forbid_nothing(void)
{
	nr_shield = 0;
}

/**
 * takeover_forbidden - is any byte of this forbidden?
 * @start: physical address
 * @size: in bytes; @start + @size may be 2^64
 * @free: where to put the memory around it that is not, undefined if it is
 */
bool takeover_forbidden(u64 start, u64 size, struct takeover_span *free)
{
	u64 last = start + size - 1;
	unsigned int i;

	for (i = 0; i < nr_shield && shield[i].end <= start; i++)
		;
	if (i < nr_shield && shield[i].start <= last)
		return true;
	free->first = i ? shield[i - 1].end : 0;
	free->last = i < nr_shield ? shield[i].start - 1 : ~0ULL;
	return false;
}

/**
 * takeover_all_forbidden - is all of this forbidden?
 * @start: physical address
 * @size: in bytes
 */
bool takeover_all_forbidden(u64 start, u64 size)
{
	unsigned int i;

	for (i = 0; i < nr_shield; i++)
		if (start >= shield[i].start && start < shield[i].end)
			return size <= shield[i].end - start;
	return false;
}

/**
 * takeover_forbidden_blocks - mark the blocks that have forbidden memory
 * @blocks: TAKEOVER_BLOCKS bytes, all zero
 *
 * Of an address the number of its block modulo TAKEOVER_BLOCKS counts. What is
 * not marked is harmless, what is may be.
 */
void takeover_forbidden_blocks(u8 *blocks)
{
	u64 block, last;
	unsigned int i;

	for (i = 0; i < nr_shield; i++) {
		block = shield[i].start / TAKEOVER_BLOCK_SIZE;
		last = (shield[i].end - 1) / TAKEOVER_BLOCK_SIZE;
		last = min(last, block + TAKEOVER_BLOCKS - 1);
		for (; block <= last; block++)
			blocks[block % TAKEOVER_BLOCKS] = 1;
	}
}

/**
 * takeover_forbidden_pages - how much is forbidden, in pages of 4 KiB
 */
u64 takeover_forbidden_pages(void)
{
	u64 pages = 0;
	unsigned int i;

	for (i = 0; i < nr_shield; i++)
		pages += (shield[i].end - shield[i].start) / VTD_TABLE_SIZE;
	return pages;
}

/**
 * takeover_tell_forbidden - print what no device may reach
 */
void takeover_tell_forbidden(void)
{
	unsigned int i;

	for (i = 0; i < nr_shield; i++)
		pr_info("no device may reach %#llx-%#llx before its driver maps\n",
			shield[i].start, shield[i].end - 1);
}
