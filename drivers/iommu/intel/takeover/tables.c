// SPDX-License-Identifier: GPL-2.0-only
/*
 * Root and context tables, legacy and scalable.
 *
 * Each present context entry of the old kernel is copied, word by word, into
 * a table of ours; the page tables, or the PASID structures, that it points
 * to stay where they are. Old tables are read through one page-sized copy and
 * never mapped for longer, never written.
 *
 * Not done here: what an entry says is not judged, only where tables lie.
 */
#define pr_fmt(fmt) "DMAR: takeover: " fmt

#include <linux/bitops.h>
#include <linux/compiler.h>
#include <linux/errno.h>
#include <linux/init.h>
#include <linux/io.h>
#include <linux/printk.h>

#include "env.h"
#include "unit.h"

/* Context entries are laid out alike in both modes, but for their size. */
static unsigned int entry_words(const struct takeover_unit *unit)
{
	return unit->scalable ? VTD_SM_CTX_WORDS : VTD_CTX_WORDS;
}

static unsigned int tables_per_bus(const struct takeover_unit *unit)
{
	return unit->scalable ? 2 : 1;
}

static unsigned int entries_per_table(const struct takeover_unit *unit)
{
	return VTD_TABLE_WORDS / entry_words(unit);
}

/**
 * takeover_context_entry - our context entry of a requester id
 * @unit: unit whose root has been filled
 * @rid: requester id
 *
 * Return: the entry's first word, NULL if its bus has no context table.
 */
u64 *takeover_context_entry(const struct takeover_unit *unit, u16 rid)
{
	unsigned int per_table = entries_per_table(unit);
	unsigned int bus = rid >> 8, devfn = rid & 0xff;
	u64 *table;
	u64 word;

	word = READ_ONCE(unit->root[bus * VTD_ROOT_WORDS + devfn / per_table]);
	if (!(word & VTD_ROOT_PRESENT))
		return NULL;

	table = phys_to_virt(word & VTD_ROOT_ADDR);
	return table + (devfn % per_table) * entry_words(unit);
}

/*
 * A domain id of a legacy entry tags what the caches hold for it until its
 * device is released. Scalable mode keeps its ids in the PASID entries.
 */
static void __init reserve_id(struct takeover_unit *unit, const u64 *entry)
{
	u16 did;

	if (unit->scalable)
		return;

	did = FIELD_GET(VTD_CTX_DID, entry[1]);
	if (did < vtd_domain_ids(unit->cap))
		vtd_reserve_did(unit, did);
}

/*
 * Copies the present entries of one context table. @first is the requester id
 * of its first entry. An empty old table gets no table of ours.
 */
static int __init copy_context_table(struct takeover_unit *unit,
				     u64 *root_word, const u64 *old, u16 first)
{
	unsigned int words = entry_words(unit);
	unsigned int i, w, adopted = 0;
	const u64 *from;
	u64 *table = NULL;
	u64 *to;

	for (i = 0; i < entries_per_table(unit); i++) {
		from = old + i * words;
		if (!(from[0] & VTD_CTX_PRESENT))
			continue;

		if (!table) {
			table = vtd_alloc_table(unit);
			if (!table)
				return -ENOMEM;
		}
		to = table + i * words;
		for (w = 0; w < words; w++)
			WRITE_ONCE(to[w], from[w]);

		reserve_id(unit, from);
		set_bit(first + i, unit->adopted);
		adopted++;
	}
	if (!table)
		return 0;

	vtd_flush_lines(table, VTD_TABLE_SIZE);
	WRITE_ONCE(*root_word, virt_to_phys(table) | VTD_ROOT_PRESENT);
	unit->nr_adopted += adopted;
	return adopted;
}

/* One pointer of the old root table: returns entries adopted, or an errno. */
static int __init adopt_table(struct takeover_unit *unit, u64 *root_word,
			      u64 old_word, u64 *page, u16 first)
{
	phys_addr_t addr = old_word & VTD_ROOT_ADDR;

	if (!takeover_oldmem_plausible(addr, VTD_TABLE_SIZE))
		return -EFAULT;
	if (vtd_read_oldmem(page, addr, VTD_TABLE_SIZE))
		return -EIO;
	return copy_context_table(unit, root_word, page, first);
}

/* All tables of one bus; a bad one costs its own devices only. */
static void __init adopt_bus(struct takeover_unit *unit, unsigned int bus,
			     const u64 *old_root, u64 *page)
{
	unsigned int half, word, first;
	bool any = false;
	int ret;

	for (half = 0; half < tables_per_bus(unit); half++) {
		word = bus * VTD_ROOT_WORDS + half;
		first = (bus << 8) + half * entries_per_table(unit);

		if (!(old_root[word] & VTD_ROOT_PRESENT))
			continue;

		ret = adopt_table(unit, &unit->root[word], old_root[word], page,
				  first);
		if (ret < 0) {
			pr_warn("%s: context table of %02x:%02x.0 and on, at %#llx, not adopted (%d): these devices are blocked\n",
				unit->name, bus, (first & 0xff) >> 3,
				(u64)(old_root[word] & VTD_ROOT_ADDR), ret);
			unit->nr_dropped++;
		}
		any |= ret > 0;
	}
	unit->nr_buses += any;
}

/**
 * takeover_copy_tables - fill our root table from the old one
 * @unit: unit in state TAKEOVER_FOUND, with an empty @unit->root
 *
 * The hardware does not see the result before takeover_install(). On an error
 * our root table is empty: every device is blocked.
 *
 * Return: 0; -EFAULT if the old root table is not in old RAM, -EIO if it
 * cannot be read, -ENOMEM.
 */
int __init takeover_copy_tables(struct takeover_unit *unit)
{
	phys_addr_t addr = unit->rtaddr & VTD_RTADDR_ADDR;
	u64 *old_root, *page;
	unsigned int bus;
	int ret = -ENOMEM;

	if (!takeover_oldmem_plausible(addr, VTD_TABLE_SIZE))
		return -EFAULT;

	old_root = vtd_alloc_table(unit);
	page = vtd_alloc_table(unit);
	if (!old_root || !page)
		goto out;

	ret = -EIO;
	if (vtd_read_oldmem(old_root, addr, VTD_TABLE_SIZE))
		goto out;

	for (bus = 0; bus < VTD_ROOT_ENTRIES; bus++)
		adopt_bus(unit, bus, old_root, page);

	vtd_flush_lines(unit->root, VTD_TABLE_SIZE);
	ret = 0;
out:
	if (page)
		vtd_free_table(page);
	if (old_root)
		vtd_free_table(old_root);
	return ret;
}
