// SPDX-License-Identifier: GPL-2.0-only
/*
 * Root and context tables, legacy and scalable.
 *
 * Each present context entry of the crashed kernel is judged and copied, word
 * by word, into a table of ours; the page tables, or the PASID structures,
 * that it points to stay where they are. Old tables are read through one
 * page-sized copy, and never written.
 *
 * An entry is dropped, that is, blocked, for an address that leads out of the
 * old RAM. It is not dropped for a bit: what the unit does not know it faults
 * by itself, and a unit younger than this code may know more. What the page
 * tables say is not judged here.
 */
#define pr_fmt(fmt) "DMAR: takeover: " fmt

#include <linux/bitops.h>
#include <linux/compiler.h>
#include <linux/errno.h>
#include <linux/gfp.h>
#include <linux/io.h>
#include <linux/printk.h>

#include "env.h"
#include "unit.h"

/**
 * takeover_entry_words - words of a context entry, in the mode of a unit
 * @unit: unit
 */
unsigned int takeover_entry_words(const struct takeover_unit *unit)
{
	return unit->scalable ? VTD_SM_CTX_WORDS : VTD_CTX_WORDS;
}

static unsigned int tables_per_bus(const struct takeover_unit *unit)
{
	return unit->scalable ? 2 : 1;
}

static unsigned int entries_per_table(const struct takeover_unit *unit)
{
	return VTD_TABLE_WORDS / takeover_entry_words(unit);
}

/**
 * takeover_root_word - the word of our root table for a requester id
 * @unit: unit with a root table of ours
 * @rid: requester id
 */
u64 *takeover_root_word(const struct takeover_unit *unit, u16 rid)
{
	unsigned int half = (rid & 0xff) >= entries_per_table(unit);

	return &unit->root[VTD_RID_BUS(rid) * VTD_ROOT_WORDS + half];
}

/**
 * takeover_context_entry - our context entry of a requester id
 * @unit: unit with a root table of ours
 * @rid: requester id
 *
 * Return: the entry's first word, NULL if its bus has no context table.
 */
u64 *takeover_context_entry(const struct takeover_unit *unit, u16 rid)
{
	u64 word = READ_ONCE(*takeover_root_word(unit, rid));
	u64 *table;

	if (!(word & VTD_ROOT_PRESENT))
		return NULL;

	table = phys_to_virt(word & VTD_ROOT_ADDR);
	return table + rid * takeover_entry_words(unit) % VTD_TABLE_WORDS;
}

/**
 * takeover_may_report - is there room for a line about a single entry?
 * @unit: unit
 *
 * A table full of faults has a line for each of the first few, and a count.
 */
bool takeover_may_report(struct takeover_unit *unit)
{
	return unit->nr_reports++ < TAKEOVER_REPORTS_MAX;
}

/**
 * takeover_drop_entry - block a requester whose entry was adopted
 * @unit: unit; hardware does not see its tables of ours yet
 * @rid: requester id
 * @entry: our context entry of it
 * @why: for people
 * @error: for people
 */
void takeover_drop_entry(struct takeover_unit *unit, u16 rid, u64 *entry,
			 const char *why, int error)
{
	unsigned int i;

	vtd_trace(unit, VTD_TRACE_DROP, rid, entry[0], error);
	WRITE_ONCE(entry[0], VTD_CTX_FPD);
	for (i = 1; i < takeover_entry_words(unit); i++)
		WRITE_ONCE(entry[i], 0);
	clear_bit(rid, unit->adopted);
	unit->nr_adopted--;
	unit->nr_dropped++;
	if (takeover_may_report(unit))
		pr_warn("%s: %02x:%02x.%x: entry dropped: %s (%d)\n",
			unit->name, VTD_RID_BUS(rid), VTD_RID_SLOT(rid),
			VTD_RID_FUNCTION(rid), why, error);
}

/*
 * Where an entry leads: the table behind it may be read by the unit. @span is
 * where else entries of its kind may lead.
 */
static bool leads_to_old_ram(struct takeover_unit *unit, const u64 *entry,
			     u16 rid, struct takeover_span *span)
{
	phys_addr_t addr = entry[0] & VTD_CTX_SSPTPTR;
	const char *what = "page table";
	size_t size = VTD_TABLE_SIZE;

	if (unit->scalable) {
		what = "PASID directory";
		addr = entry[0] & VTD_SM_CTX_PASIDDIRPTR;
		size = vtd_pasid_directory_size(entry[0]);
	}

	*span = (struct takeover_span){ .last = ~0ULL };
	if (!unit->scalable &&
	    FIELD_GET(VTD_CTX_TT, entry[0]) == VTD_TT_PASS_THROUGH)
		return true;
	if (takeover_oldmem_span(addr, size, span))
		return true;
	if (takeover_may_report(unit))
		pr_warn("%s: %02x:%02x.%x: entry dropped: %s at %#llx is not in old RAM\n",
			unit->name, VTD_RID_BUS(rid), VTD_RID_SLOT(rid),
			VTD_RID_FUNCTION(rid), what, (u64)addr);
	return false;
}

/* What the unit finds wrong with an entry by itself; NULL if nothing. */
static const char *flaw_legacy(const struct takeover_unit *unit,
			       const u64 *entry)
{
	unsigned int tt = FIELD_GET(VTD_CTX_TT, entry[0]);

	if ((entry[0] & VTD_CTX_RESERVED_0) || (entry[1] & VTD_CTX_RESERVED_1))
		return "reserved bits";
	if (tt > VTD_TT_PASS_THROUGH ||
	    (tt == VTD_TT_ALL && !(unit->ecap & VTD_ECAP_DT)) ||
	    (tt == VTD_TT_PASS_THROUGH && !(unit->ecap & VTD_ECAP_PT)))
		return "translation type";
	if (!(FIELD_GET(VTD_CAP_SAGAW, unit->cap) &
	      BIT_ULL(FIELD_GET(VTD_CTX_AW, entry[1]))))
		return "address width";
	return NULL;
}

static const char *flaw_scalable(const struct takeover_unit *unit,
				 const u64 *entry)
{
	if ((entry[0] & VTD_SM_CTX_RESERVED_0) ||
	    (entry[1] & VTD_SM_CTX_RESERVED_1) || entry[2] || entry[3])
		return "reserved bits";
	if (((entry[0] & VTD_SM_CTX_DTE) && !(unit->ecap & VTD_ECAP_DT)) ||
	    ((entry[0] & VTD_SM_CTX_PASIDE) && !(unit->ecap & VTD_ECAP_PASID)) ||
	    ((entry[0] & VTD_SM_CTX_PRE) && !(unit->ecap & VTD_ECAP_PRS)))
		return "a feature that it lacks";
	return NULL;
}

/*
 * Only told, since it tells of damage: the unit will abort DMA of a device
 * that worked until the crash.
 */
static void report_flaw(struct takeover_unit *unit, const u64 *entry, u16 rid,
			const char *flaw)
{
	unit->nr_flawed++;
	if (takeover_may_report(unit))
		pr_warn("%s: %02x:%02x.%x: entry kept, the unit will fault it: %s, %#llx %#llx\n",
			unit->name, VTD_RID_BUS(rid), VTD_RID_SLOT(rid),
			VTD_RID_FUNCTION(rid), flaw, entry[0], entry[1]);
}

static noinline void report_pasids(struct takeover_unit *unit, u16 rid, int ret)
{
	if (takeover_may_report(unit))
		pr_warn("%s: %02x:%02x.%x: entry dropped: too many PASIDs to read (%d)\n",
			unit->name, VTD_RID_BUS(rid), VTD_RID_SLOT(rid),
			VTD_RID_FUNCTION(rid), ret);
}

static bool pasids_are_known(struct takeover_unit *unit, const u64 *entry,
			     u16 rid)
{
	int ret = takeover_reserve_pasids(unit, rid, entry);

	if (ret)
		report_pasids(unit, rid, ret);
	return !ret;
}

/* With or without a device-TLB, pass-through or not, with PASIDs or not. */
static unsigned int kind_of(const u64 *entry)
{
	return FIELD_GET(TAKEOVER_KIND, entry[0]);
}

/*
 * A kernel fills in the entries of a kind alike: most differ from the last good
 * one in domain id and address only, and lead to the same range of old RAM. What
 * was said of that one is then true of them. See struct takeover_good.
 */
static bool is_as_good(const struct takeover_unit *unit, const u64 *entry,
		       unsigned int words)
{
	const struct takeover_good *good = &unit->good[kind_of(entry)];
	u64 distance = entry[0] - good->first;

	if ((distance & ~VTD_CTX_SSPTPTR) || distance >= good->size ||
	    ((entry[1] ^ good->word_1) & good->mask_1))
		return false;
	return words == VTD_CTX_WORDS || !(entry[2] | entry[3]);
}

/*
 * Tables lie at multiples of their size; @span may begin and end anywhere. Of
 * the domain id those bits may differ that the unit implements.
 */
static void keep_good(struct takeover_unit *unit, const u64 *entry,
		      const struct takeover_span *span)
{
	struct takeover_good *good = &unit->good[kind_of(entry)];
	u64 first = (span->first + VTD_TABLE_SIZE - 1) & VTD_CTX_SSPTPTR;
	u64 ids = vtd_domain_ids(unit->cap) - 1;

	if (unit->scalable)
		ids = 0;
	else if (FIELD_GET(VTD_CTX_DID, entry[1]) > ids)
		return;

	good->first = first | (entry[0] & ~VTD_CTX_SSPTPTR);
	good->size = (span->last & VTD_CTX_SSPTPTR) - first + 1;
	good->word_1 = entry[1];
	good->mask_1 = ~FIELD_PREP(VTD_CTX_DID, ids);
}

/* An entry unlike the last good one: can it be adopted? */
static noinline bool judge_entry(struct takeover_unit *unit, const u64 *entry,
				 u16 rid)
{
	struct takeover_span span;
	const char *flaw;

	/* Hardware may use the id of a dropped entry until it has our tables. */
	if (!unit->scalable)
		takeover_tag(unit, rid, FIELD_GET(VTD_CTX_DID, entry[1]));
	if (!leads_to_old_ram(unit, entry, rid, &span) ||
	    (unit->scalable && !pasids_are_known(unit, entry, rid)))
		return false;

	flaw = unit->scalable ? flaw_scalable(unit, entry) :
				flaw_legacy(unit, entry);
	if (flaw)
		report_flaw(unit, entry, rid, flaw);
	else
		keep_good(unit, entry, &span);
	return true;
}

static __always_inline void copy_entry(u64 *to, const u64 *from,
				       unsigned int words)
{
	WRITE_ONCE(to[0], from[0]);
	WRITE_ONCE(to[1], from[1]);
	if (words == VTD_SM_CTX_WORDS) {
		WRITE_ONCE(to[2], from[2]);
		WRITE_ONCE(to[3], from[3]);
	}
}

/* Fills an entry of ours, which hardware does not see yet. */
static __always_inline void adopt_entry(struct takeover_unit *unit, u64 *to,
					const u64 *from, u16 rid,
					unsigned int words)
{
	bool adopt;

	if (is_as_good(unit, from, words)) {
		adopt = true;
		if (words == VTD_CTX_WORDS)
			takeover_keep_did(unit,
					  FIELD_GET(VTD_CTX_DID, from[1]));
		else
			adopt = pasids_are_known(unit, from, rid);
	} else if (from[0] & VTD_CTX_PRESENT) {
		adopt = judge_entry(unit, from, rid);
	} else {
		/* Blocked before: a crash in the kdump kernel finds these. */
		WRITE_ONCE(to[0], from[0] & VTD_CTX_FPD);
		return;
	}
	if (!adopt) {
		vtd_trace(unit, VTD_TRACE_DROP, rid, from[0], 0);
		WRITE_ONCE(to[0], VTD_CTX_FPD);
		unit->nr_dropped++;
		return;
	}

	copy_entry(to, from, words);
	set_bit(rid, unit->adopted);
	unit->nr_adopted++;
}

/* Hardware may use them until it has our tables, in which these devices are blocked. */
static noinline void note_ids(struct takeover_unit *unit, const u64 *old,
			      u16 first, unsigned int words)
{
	unsigned int i;

	for (i = 0; i < VTD_TABLE_WORDS / words; i++, old += words) {
		if (!(old[0] & VTD_CTX_PRESENT))
			continue;
		if (!unit->scalable)
			takeover_tag(unit, first + i,
				     FIELD_GET(VTD_CTX_DID, old[1]));
		else if (takeover_oldmem_plausible(old[0] & VTD_SM_CTX_PASIDDIRPTR,
						   vtd_pasid_directory_size(old[0])))
			takeover_reserve_pasids(unit, first + i, old);
	}
}

/*
 * Copies one context table. @first is the requester id of its first entry. An
 * empty old table gets no table of ours. Compiled once for each mode: this is
 * where the time of a takeover goes.
 */
static __always_inline int copy_context_table(struct takeover_unit *unit,
					      u64 *root_word, const u64 *old,
					      u16 first, unsigned int words)
{
	u64 *table;
	unsigned int i;

	for (i = 0; i < VTD_TABLE_WORDS; i += words)
		if (old[i] & (VTD_CTX_PRESENT | VTD_CTX_FPD))
			break;
	if (i == VTD_TABLE_WORDS)
		return 0;

	table = vtd_alloc_table(unit, TAKEOVER_GFP);
	if (!table) {
		note_ids(unit, old, first, words);
		return -ENOMEM;
	}
	for (i = 0; i < VTD_TABLE_WORDS / words; i++)
		adopt_entry(unit, table + i * words, old + i * words, first + i,
			    words);

	vtd_flush_lines(table, VTD_TABLE_SIZE);
	WRITE_ONCE(*root_word, virt_to_phys(table) | VTD_ROOT_PRESENT);
	return 0;
}

/* One pointer of the old root table. */
static int adopt_table(struct takeover_unit *unit, u64 *root_word,
		       u64 old_word, u64 *page, u16 first)
{
	phys_addr_t addr = old_word & VTD_ROOT_ADDR;

	if (!takeover_oldmem_plausible(addr, VTD_TABLE_SIZE))
		return -EFAULT;
	if (vtd_read_oldmem(page, addr, VTD_TABLE_SIZE)) {
		unit->ids_unknown = true;
		return -EIO;
	}
	if (unit->scalable)
		return copy_context_table(unit, root_word, page, first,
					  VTD_SM_CTX_WORDS);
	return copy_context_table(unit, root_word, page, first, VTD_CTX_WORDS);
}

/*
 * The caches of the unit may still hold entries from before these bits were
 * set, and DMA may be going on through them. So the table is used.
 */
static void report_root_bits(struct takeover_unit *unit, unsigned int bus,
			     const u64 *old)
{
	u64 bits = old[0] & VTD_ROOT_PRESENT ? old[0] & VTD_ROOT_RESERVED : 0;

	if (!unit->scalable)
		bits |= old[1];
	else if (old[1] & VTD_ROOT_PRESENT)
		bits |= old[1] & VTD_ROOT_RESERVED;

	if (bits && takeover_may_report(unit))
		pr_warn("%s: bus %02x: reserved bits %#llx of the root entry ignored\n",
			unit->name, bus, bits);
}

/* All tables of one bus; a bad one costs its own devices only. */
static void adopt_bus(struct takeover_unit *unit, unsigned int bus,
		      const u64 *old, u64 *page)
{
	unsigned int before = unit->nr_adopted;
	unsigned int half, first;
	u64 *word;
	int ret;

	/* Most buses have none. */
	if (!(old[0] | old[1]))
		return;
	report_root_bits(unit, bus, old);

	for (half = 0; half < tables_per_bus(unit); half++) {
		if (!(old[half] & VTD_ROOT_PRESENT))
			continue;

		first = (bus << 8) + half * entries_per_table(unit);
		word = takeover_root_word(unit, first);
		ret = adopt_table(unit, word, old[half], page, first);
		if (!ret)
			continue;

		WRITE_ONCE(*word, takeover_blocked_table());
		unit->nr_tables_dropped++;
		if (takeover_may_report(unit))
			pr_warn("%s: context table of %02x:%02x.0 and on, at %#llx, not adopted (%d): these devices are blocked\n",
				unit->name, bus, VTD_RID_SLOT(first),
				(u64)(old[half] & VTD_ROOT_ADDR), ret);
	}
	unit->nr_buses += unit->nr_adopted != before;
}

/**
 * takeover_copy_tables - fill our root table from the old one
 * @unit: unit in state TAKEOVER_FOUND, with an empty @unit->root
 *
 * The hardware does not see the result before takeover_install(). On an error
 * our root table is still empty.
 *
 * Return: 0; -EFAULT if the old root table is not in old RAM, -EIO if it
 * cannot be read, -ENOMEM.
 */
int takeover_copy_tables(struct takeover_unit *unit)
{
	phys_addr_t addr = unit->rtaddr & VTD_RTADDR_ADDR;
	u64 *old_root, *page;
	unsigned int bus;
	int ret = -ENOMEM;

	if (!takeover_oldmem_plausible(addr, VTD_TABLE_SIZE))
		return -EFAULT;

	old_root = vtd_alloc_table(unit, TAKEOVER_GFP);
	page = vtd_alloc_table(unit, TAKEOVER_GFP);
	if (!old_root || !page)
		goto out;

	ret = -EIO;
	if (vtd_read_oldmem(old_root, addr, VTD_TABLE_SIZE))
		goto out;

	for (bus = 0; bus < VTD_ROOT_ENTRIES; bus++)
		adopt_bus(unit, bus, old_root + bus * VTD_ROOT_WORDS, page);
	ret = 0;
out:
	if (page)
		vtd_free_table(page);
	if (old_root)
		vtd_free_table(old_root);
	return ret;
}
