// SPDX-License-Identifier: GPL-2.0-only
/*
 * What stands in for an entry that is not adopted.
 *
 * A blocked requester has an entry that is not present and has FPD set: its
 * DMA is aborted, and nothing is recorded of it. A root entry has no such
 * bit, so where whole tables are missing the root entry points to a page of
 * these entries, one and the same page for all of them. It is replaced by a
 * copy before a driver writes an entry there. A blocked device whose firmware
 * needs reserved memory (RMRR, 8.4) gets that memory and nothing else.
 *
 * Who is to be blocked is decided in unit.c and tables.c. Here is only how.
 */
#define pr_fmt(fmt) "DMAR: takeover: " fmt

#include <linux/bitmap.h>
#include <linux/bitops.h>
#include <linux/compiler.h>
#include <linux/errno.h>
#include <linux/gfp.h>
#include <linux/io.h>
#include <linux/printk.h>

#include "env.h"
#include "unit.h"

/*
 * Reserved memory is mapped in pages of 4 KiB. A range of more than a gigabyte
 * would cost the dump its memory; what is beyond stays blocked.
 */
#define RESERVED_TABLES_MAX	520

/*
 * Filled for entries of two words. That serves scalable mode as well: of an
 * entry that is not present nothing counts but FPD. Static, so that there is
 * always something to block with.
 */
static u64 shared_table[VTD_TABLE_WORDS] __aligned(VTD_TABLE_SIZE);

static void fill_blocked(u64 *table, unsigned int entry_words)
{
	unsigned int i;

	for (i = 0; i < VTD_TABLE_WORDS; i += entry_words)
		WRITE_ONCE(table[i], VTD_CTX_FPD);
	vtd_flush_lines(table, VTD_TABLE_SIZE);
}

/**
 * takeover_blocked_table - a root entry's pointer to blocked entries only
 *
 * Return: the word for a root table of ours.
 */
u64 takeover_blocked_table(void)
{
	fill_blocked(shared_table, VTD_CTX_WORDS);
	return virt_to_phys(shared_table) | VTD_ROOT_PRESENT;
}

/**
 * takeover_blocks_rid - is this requester id blocked by us?
 * @unit: unit with a root table of ours
 * @rid: requester id
 *
 * The entry itself tells. A driver that takes an entry makes it present, and
 * leaves it zero when it gives it up.
 */
bool takeover_blocks_rid(const struct takeover_unit *unit, u16 rid)
{
	const u64 *entry;

	if (!unit->root)
		return false;
	entry = takeover_context_entry(unit, rid);
	return entry && READ_ONCE(entry[0]) == VTD_CTX_FPD;
}

/**
 * takeover_block_unit - block every requester of a unit
 * @unit: unit with a root table that hardware does not use yet
 */
void takeover_block_unit(struct takeover_unit *unit)
{
	unsigned int bus, half;
	u64 word = takeover_blocked_table();

	for (bus = 0; bus < VTD_ROOT_ENTRIES; bus++)
		for (half = 0; half < VTD_ROOT_WORDS; half++)
			WRITE_ONCE(unit->root[bus * VTD_ROOT_WORDS + half],
				   !half || unit->scalable ? word : 0);
	unit->blocked = true;
}

/*
 * Both tables say the same, so DMA does not notice. Apart from the one caller,
 * which for most devices has nothing to do.
 */
static noinline int replace_shared(struct takeover_unit *unit, u64 *word)
{
	u64 *table = vtd_alloc_table(unit, GFP_ATOMIC);

	if (!table)
		return -ENOMEM;
	fill_blocked(table, takeover_entry_words(unit));
	vtd_flush_write_buffer(unit);
	WRITE_ONCE(*word, virt_to_phys(table) | VTD_ROOT_PRESENT);
	vtd_flush_lines(word, sizeof(*word));

	/* 6.5.3.1: a root entry that is changed while it is present */
	if (unit->state == TAKEOVER_INSTALLED) {
		vtd_flush_write_buffer(unit);
		takeover_forget_all(unit);
	}
	return 0;
}

/**
 * takeover_own_table - make sure that an entry can be written
 * @unit: unit with a root table of ours
 * @rid: requester id whose entry is about to be written
 *
 * Does not sleep. The caller keeps others away from the unit's context tables.
 *
 * Return: 0, also if there is no table at all; -EIO if the unit did not take
 * our root table, so that it would not see the entry; -ENOMEM.
 */
int takeover_own_table(struct takeover_unit *unit, u16 rid)
{
	u64 *word;

	if (unit->state == TAKEOVER_DEAD)
		return -EIO;
	if (!unit->root)
		return 0;

	word = takeover_root_word(unit, rid);
	if ((READ_ONCE(*word) & VTD_ROOT_ADDR) != virt_to_phys(shared_table))
		return 0;
	return replace_shared(unit, word);
}

/* The pages of one second-stage table, while it is built. */
struct reserved {
	struct takeover_unit	*unit;
	u64			*top;
	unsigned int		aw;
	unsigned int		tables;
};

/* Flushed, since a unit that does not snoop would not see the zeroes. */
static u64 *reserved_table(struct reserved *map)
{
	u64 *table;

	if (map->tables == RESERVED_TABLES_MAX)
		return NULL;
	map->tables++;
	table = vtd_alloc_table(map->unit, TAKEOVER_GFP);
	if (table)
		vtd_flush_lines(table, VTD_TABLE_SIZE);
	return table;
}

/* The slot of the 4 KiB page at @addr, with the tables above it. */
static u64 *leaf_slot(struct reserved *map, u64 addr)
{
	unsigned int level = vtd_paging_levels(map->aw);
	u64 *table = map->top, *slot, *next;
	unsigned int shift;

	while (true) {
		shift = VTD_SS_PAGE_BITS + --level * VTD_SS_LEVEL_BITS;
		slot = table + (addr >> shift) % VTD_TABLE_WORDS;
		if (!level)
			return slot;

		if (!(*slot & VTD_SS_READ)) {
			next = reserved_table(map);
			if (!next)
				return NULL;
			WRITE_ONCE(*slot, virt_to_phys(next) | VTD_SS_READ |
					  VTD_SS_WRITE);
			vtd_flush_lines(slot, sizeof(*slot));
		}
		table = phys_to_virt(*slot & VTD_SS_ADDR);
	}
}

static int map_range(struct reserved *map, u64 start, u64 end)
{
	u64 addr, *slot;

	if (end >> (VTD_SS_PAGE_BITS +
		    vtd_paging_levels(map->aw) * VTD_SS_LEVEL_BITS))
		return -ERANGE;

	for (addr = start & VTD_SS_ADDR; addr <= end; addr += VTD_TABLE_SIZE) {
		slot = leaf_slot(map, addr);
		if (!slot)
			return -ENOMEM;
		WRITE_ONCE(*slot, addr | VTD_SS_READ | VTD_SS_WRITE);
		vtd_flush_lines(slot, sizeof(*slot));
	}
	return 0;
}

/* The narrowest second-stage table that the unit walks, 0 if it walks none. */
static unsigned int narrowest_width(const struct takeover_unit *unit)
{
	u64 sagaw = FIELD_GET(VTD_CAP_SAGAW, unit->cap);
	unsigned int aw;

	if (unit->scalable && !(unit->ecap & VTD_ECAP_SSTS))
		return 0;
	for (aw = 1; aw <= 3; aw++)
		if (sagaw & BIT_ULL(aw))
			return aw;
	return 0;
}

/* A PASID directory of one table, with an entry for RID_PASID 0. */
static u64 *pasid_directory(struct reserved *map, u16 did)
{
	u64 *directory = reserved_table(map), *table;
	unsigned int i;

	if (!directory)
		return NULL;
	table = reserved_table(map);
	if (!table) {
		vtd_free_table(directory);
		return NULL;
	}

	for (i = 0; i < VTD_TABLE_WORDS; i += VTD_PTE_WORDS)
		WRITE_ONCE(table[i], VTD_CTX_FPD);
	WRITE_ONCE(table[1], FIELD_PREP(VTD_PTE_DID, did));
	WRITE_ONCE(table[0], virt_to_phys(map->top) |
			     FIELD_PREP(VTD_PTE_PGTT, VTD_PGTT_SECOND_STAGE) |
			     FIELD_PREP(VTD_PTE_AW, map->aw) |
			     VTD_CTX_FPD | VTD_CTX_PRESENT);
	vtd_flush_lines(table, VTD_TABLE_SIZE);

	WRITE_ONCE(directory[0], virt_to_phys(table) | VTD_CTX_FPD |
				 VTD_CTX_PRESENT);
	vtd_flush_lines(directory, VTD_TABLE_SIZE);
	return directory;
}

/*
 * An entry for a blocked requester that has an empty page table. It is all there
 * but for the present bit, see takeover_admit_reserved(). FPD stays: what is not
 * mapped is as silent as before.
 */
static int reserved_entry(struct reserved *map, u16 rid, u64 *entry)
{
	struct takeover_unit *unit = map->unit;
	int did = takeover_new_did(unit, rid);
	u64 *directory;

	if (did < 0)
		return did;
	map->top = reserved_table(map);
	if (!map->top)
		return -ENOMEM;

	if (unit->scalable) {
		directory = pasid_directory(map, did);
		if (!directory) {
			vtd_free_table(map->top);
			return -ENOMEM;
		}
		WRITE_ONCE(entry[0], virt_to_phys(directory) | VTD_CTX_FPD);
	} else {
		WRITE_ONCE(entry[1], FIELD_PREP(VTD_CTX_AW, map->aw) |
				     FIELD_PREP(VTD_CTX_DID, did));
		WRITE_ONCE(entry[0], virt_to_phys(map->top) | VTD_CTX_FPD);
	}
	return 0;
}

/* The table that a requester got for an earlier range of its own. */
static u64 *earlier_table(const struct takeover_unit *unit, const u64 *entry)
{
	const u64 *directory, *table;

	if (!unit->scalable)
		return phys_to_virt(entry[0] & VTD_CTX_SSPTPTR);

	directory = phys_to_virt(entry[0] & VTD_SM_CTX_PASIDDIRPTR);
	table = phys_to_virt(directory[0] & VTD_PDE_SMPTBLPTR);
	return phys_to_virt(table[0] & VTD_PTE_SSPTPTR);
}

static int map_reserved(struct takeover_unit *unit, u16 rid, u64 start, u64 end)
{
	struct reserved map = { .unit = unit, .aw = narrowest_width(unit) };
	bool first = takeover_blocks_rid(unit, rid);
	u64 *entry;
	int ret;

	if (!map.aw)
		return -EOPNOTSUPP;
	ret = takeover_own_table(unit, rid);
	if (ret)
		return ret;

	entry = takeover_context_entry(unit, rid);
	if (first) {
		ret = reserved_entry(&map, rid, entry);
		if (ret)
			return ret;
		set_bit(rid, unit->adopted);
		set_bit(rid, unit->confined);
		unit->nr_confined++;
	} else {
		map.top = earlier_table(unit, entry);
	}
	return map_range(&map, start, end);
}

/* It may have several ranges, one after the other. */
static void note_firmware(struct takeover_unit *unit, u16 rid)
{
	unsigned int n = unit->nr_firmware;

	if (n == TAKEOVER_FIRMWARE_MAX || (n && unit->firmware[n - 1] == rid))
		return;
	unit->firmware[unit->nr_firmware++] = rid;
}

static int visit_reserved(u16 rid, u64 start, u64 end, void *data)
{
	struct takeover_unit *unit = data;
	int ret;

	note_firmware(unit, rid);
	if (!takeover_blocks_rid(unit, rid) && !test_bit(rid, unit->confined))
		return 0;

	ret = map_reserved(unit, rid, start, end);
	if (ret)
		pr_warn("%s: %02x:%02x.%x: reserved memory %#llx-%#llx is blocked as well (%d)\n",
			unit->name, VTD_RID_BUS(rid), VTD_RID_SLOT(rid),
			VTD_RID_FUNCTION(rid), start, end, ret);
	else
		pr_info("%s: %02x:%02x.%x: blocked but for its reserved memory %#llx-%#llx\n",
			unit->name, VTD_RID_BUS(rid), VTD_RID_SLOT(rid),
			VTD_RID_FUNCTION(rid), start, end);
	return 0;
}

/**
 * takeover_map_reserved - make tables of the memory reserved for blocked devices
 * @unit: unit whose root table is filled and not yet used by hardware
 *
 * The entries that lead to them are not present yet. What goes wrong here
 * leaves a device blocked, from the page on at which it went wrong, and is
 * reported.
 */
void takeover_map_reserved(struct takeover_unit *unit)
{
	vtd_visit_reserved(unit, visit_reserved, unit);
}

/**
 * takeover_admit_reserved - let blocked devices reach their reserved memory
 * @unit: unit that uses our root table, nothing of old in its caches; nobody has
 *	  released a device yet, so that each of these entries is as it was made
 *
 * Not before: where nothing was adopted nobody knows which domain ids old entries
 * have, and the unit may walk these until it has forgotten them.
 */
void takeover_admit_reserved(struct takeover_unit *unit)
{
	unsigned int rid;
	u64 *entry;

	if (!unit->nr_confined)
		return;
	vtd_flush_write_buffer(unit);
	for_each_set_bit(rid, unit->confined, TAKEOVER_RIDS) {
		entry = takeover_context_entry(unit, rid);
		WRITE_ONCE(entry[0], entry[0] | VTD_CTX_PRESENT);
		vtd_flush_lines(entry, takeover_entry_words(unit) *
				       sizeof(*entry));
	}
	vtd_flush_write_buffer(unit);
	/* 6.1: a unit in caching mode may know that there was nothing. */
	takeover_forget_all(unit);
}
