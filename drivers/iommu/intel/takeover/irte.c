// SPDX-License-Identifier: GPL-2.0-only
/*
 * The interrupt-remapping table.
 *
 * Devices go on sending interrupts to the entries of the old table. Each
 * entry that does no harm here is copied to the same index of ours, whatever
 * size the old table has, and that index is not given to a new interrupt. An
 * entry that would do harm, or that cannot be read, is replaced by one that
 * blocks in silence.
 *
 * Old tables are read through one page-sized copy, never written.
 */
#define pr_fmt(fmt) "DMAR: takeover: " fmt

#include <linux/bitops.h>
#include <linux/compiler.h>
#include <linux/errno.h>
#include <linux/gfp.h>
#include <linux/init.h>
#include <linux/minmax.h>
#include <linux/printk.h>

#include "env.h"
#include "unit.h"

#define ENTRY_SIZE		(VTD_IRTE_WORDS * sizeof(u64))
#define ENTRIES_PER_PAGE	(VTD_TABLE_SIZE / ENTRY_SIZE)

/*
 * A table that claims every index would leave none for the interrupts of this
 * kernel: of the dump's disk, in the end. No kernel that allocates from the
 * bottom gets to the last eighth of the largest table.
 */
#define ADOPT_END		(VTD_IRTE_MAX / 8 * 7)

/* A bad table is bad 65536 times; that is for the summary to say. */
#define REPORTS			8

static bool __init mode_differs(const struct takeover_unit *unit, bool eim)
{
	return !!(unit->irta & VTD_IRTA_EIME) != eim;
}

static bool __init is_posted(const struct takeover_unit *unit, u64 low)
{
	return (unit->cap & VTD_CAP_PI) && (low & VTD_IRTE_POSTED);
}

/*
 * From a logical id of x2APIC mode to the physical id of its only processor.
 * 32 bits of cluster and members become an id that may still be too large.
 */
static int __init only_member(u32 logical, u32 *id)
{
	u32 members = FIELD_GET(VTD_X2APIC_MEMBERS, logical);
	unsigned int member;

	for (member = 0; member < VTD_X2APIC_SIZE; member++) {
		if (members != BIT(member))
			continue;
		*id = FIELD_GET(VTD_X2APIC_CLUSTER, logical) * VTD_X2APIC_SIZE +
		      member;
		return 0;
	}
	return -ERANGE;
}

/*
 * Who is lowest among one processor is no question, and not all hardware
 * answers it for a physical id: such an entry becomes a fixed one.
 */
static int __init to_xapic(u64 *low)
{
	u32 id = FIELD_GET(VTD_IRTE_DST, *low);

	if (*low & VTD_IRTE_LOGICAL) {
		if (only_member(id, &id))
			return -ERANGE;
		*low &= ~(VTD_IRTE_LOGICAL | VTD_IRTE_DELIVERY);
		*low |= FIELD_PREP(VTD_IRTE_DELIVERY, VTD_DELIVERY_FIXED);
	}
	if (id >= VTD_XAPIC_BROADCAST)
		return -ERANGE;

	*low &= ~VTD_IRTE_DST;
	*low |= FIELD_PREP(VTD_IRTE_DST_XAPIC, id);
	return 0;
}

/*
 * What a logical id of xAPIC mode means is known to the processors of the
 * crashed kernel only. An entry whose reserved bits made hardware refuse it
 * must not become a good one.
 */
static int __init to_x2apic(u64 *low)
{
	u32 id = FIELD_GET(VTD_IRTE_DST_XAPIC, *low);

	if (*low & (VTD_IRTE_LOGICAL | VTD_IRTE_RSVD_XAPIC) ||
	    id == VTD_XAPIC_BROADCAST)
		return -ERANGE;

	*low &= ~VTD_IRTE_DST;
	*low |= FIELD_PREP(VTD_IRTE_DST, id);
	return 0;
}

/*
 * Which handler of this kernel a vector gets to; posted or not, a processor
 * cannot tell. A vector that nobody here asked for is acknowledged and
 * forgotten.
 *
 * Returns why the entry cannot be adopted, or NULL.
 */
static const char *__init judge_vector(const struct takeover_unit *unit,
				       unsigned int vector)
{
	if (vector < VTD_VECTOR_FIRST)
		return "it would raise an exception";
	if (test_bit(vector, unit->fatal_vectors))
		return "it would raise one of this kernel's own vectors";
	return NULL;
}

/*
 * The hardware writes to the descriptor (9.12): it must not lie in our memory.
 * Vector and destination of the interrupt that tells about it are in the
 * descriptor, too. They cannot be re-encoded without writing to the crashed
 * kernel's memory, so an entry of the other mode is not adopted.
 *
 * Returns why the entry cannot be adopted, or NULL.
 */
static const char *__init judge_posted(const struct takeover_unit *unit,
				       u64 low, u64 high, bool eim)
{
	u64 addr = vtd_posted_descriptor(low, high);
	struct takeover_span free;
	u64 control;

	if (mode_differs(unit, eim))
		return "posted to a processor of the other mode";
	if (!takeover_oldmem_plausible(addr, VTD_PID_SIZE) ||
	    takeover_forbidden(addr, VTD_PID_SIZE, &free))
		return "its descriptor is not in old RAM";
	if (vtd_read_oldmem(&control, addr + VTD_PID_CONTROL, sizeof(control)))
		return "its descriptor cannot be read";
	return judge_vector(unit, FIELD_GET(VTD_PID_NV, control));
}

/* Returns why the entry cannot be adopted, or NULL; may change @low. */
static const char *__init judge_remapped(const struct takeover_unit *unit,
					 u64 *low, bool eim)
{
	unsigned int delivery = FIELD_GET(VTD_IRTE_DELIVERY, *low);

	if (delivery != VTD_DELIVERY_FIXED && delivery != VTD_DELIVERY_LOWEST)
		return "its delivery mode is not a device's";
	if (mode_differs(unit, eim) && (eim ? to_x2apic(low) : to_xapic(low)))
		return "its destination has no name in this mode";
	return judge_vector(unit, FIELD_GET(VTD_IRTE_VECTOR, *low));
}

/*
 * Reserved bits are left to the hardware, which refuses them, unless it knows
 * a meaning that we do not. They are counted as the crashed kernel set them.
 */
static bool __init has_reserved(const struct takeover_unit *unit, u64 low,
				u64 high)
{
	if (is_posted(unit, low))
		return low & VTD_POSTED_RSVD_0 || high & VTD_POSTED_RSVD_1;
	if (!(unit->irta & VTD_IRTA_EIME) && low & VTD_IRTE_RSVD_XAPIC)
		return true;
	return low & VTD_IRTE_RSVD_0 || high & VTD_IRTE_RSVD_1;
}

/* The present bit comes last, and never without the rest of the entry. */
static void __init write_entry(u64 *entry, u64 low, u64 high)
{
	WRITE_ONCE(entry[1], high);
	WRITE_ONCE(entry[0], low);
}

/* 9.10: not present, and no fault is recorded when it is used. */
static void __init block_entries(u64 *entry, unsigned int number)
{
	while (number--) {
		write_entry(entry, VTD_IRTE_FPD, 0);
		entry += VTD_IRTE_WORDS;
	}
}

static void __init drop_entry(struct takeover_unit *unit, u64 *entry,
			      unsigned int index, const char *why)
{
	block_entries(entry, 1);
	if (unit->nr_irtes_dropped++ < REPORTS)
		pr_warn("%s: interrupt entry %u dropped: %s\n", unit->name,
			index, why);
}

/*
 * One present entry. A dropped one is in use, too: some device may go on
 * sending to it, which is not to be mistaken for the next owner's interrupt.
 */
static void __init adopt_entry(struct takeover_unit *unit, u64 *entry,
			       unsigned int index, const u64 *old, bool eim)
{
	u64 low = old[0];
	const char *why;

	if (index >= ADOPT_END) {
		drop_entry(unit, entry, index,
			   "its index is left to this kernel");
		return;
	}
	vtd_reserve_irte(unit, index);

	if (is_posted(unit, low))
		why = judge_posted(unit, low, old[1], eim);
	else
		why = judge_remapped(unit, &low, eim);
	if (why) {
		drop_entry(unit, entry, index, why);
		return;
	}

	write_entry(entry, low, old[1]);
	unit->nr_irtes++;
	unit->nr_irtes_reserved += has_reserved(unit, old[0], old[1]);
}

static int __init read_part(const struct takeover_unit *unit, u64 *page,
			    unsigned int first, unsigned int number)
{
	phys_addr_t addr = (unit->irta & VTD_IRTA_ADDR) + first * ENTRY_SIZE;

	if (!takeover_oldmem_plausible(addr, number * ENTRY_SIZE))
		return -EFAULT;
	if (vtd_read_oldmem(page, addr, number * ENTRY_SIZE))
		return -EIO;
	return 0;
}

/* A page of the table, or what there is of it, from index @first on. */
static int __init adopt_part(struct takeover_unit *unit, u64 *table, u64 *page,
			     unsigned int first, unsigned int number, bool eim)
{
	unsigned int i;
	int ret;

	ret = read_part(unit, page, first, number);
	if (ret) {
		block_entries(table + first * VTD_IRTE_WORDS, number);
		return ret;
	}

	for (i = 0; i < number; i++) {
		const u64 *old = page + i * VTD_IRTE_WORDS;

		if (old[0] & VTD_IRTE_PRESENT)
			adopt_entry(unit, table + (first + i) * VTD_IRTE_WORDS,
				    first + i, old, eim);
	}
	return 0;
}

/* The first page decides on the table; others cost their own entries only. */
static int __init adopt_table(struct takeover_unit *unit, u64 *table, u64 *page,
			      bool eim)
{
	unsigned int entries = vtd_irt_entries(unit->irta);
	unsigned int number = min(entries, ENTRIES_PER_PAGE);
	unsigned int first, lost = 0;
	int ret;

	ret = adopt_part(unit, table, page, 0, number, eim);
	if (ret)
		return ret;

	for (first = number; first < entries; first += number)
		if (adopt_part(unit, table, page, first, number, eim))
			lost++;
	if (lost)
		pr_warn("%s: %u of %u pages of the interrupt table not read: their interrupts are blocked\n",
			unit->name, lost, entries / number);
	return 0;
}

/**
 * takeover_adopt_irtes - fill our interrupt table from the old one
 * @unit: unit found remapping interrupts, after takeover_snapshot()
 * @table: its empty table of VTD_IRTE_MAX entries, which the hardware does
 *	   not use yet
 * @eim: our table will be in x2APIC mode
 *
 * On an error every index of the old table is blocked, without a word from
 * the hardware, and none is reserved.
 *
 * Return: 0; -EFAULT if the old table is not in old RAM, -EIO if it cannot be
 * read, -ENOMEM.
 */
int __init takeover_adopt_irtes(struct takeover_unit *unit, u64 *table,
				bool eim)
{
	unsigned int entries = vtd_irt_entries(unit->irta);
	int ret = -ENOMEM;
	u64 *page;

	page = vtd_alloc_table(unit, TAKEOVER_GFP);
	if (page) {
		ret = adopt_table(unit, table, page, eim);
		vtd_free_table(page);
	}
	if (ret)
		block_entries(table, entries);
	vtd_flush_lines(table, entries * ENTRY_SIZE);

	if (ret) {
		pr_err("%s: interrupt table at %#llx not adopted (%d): its interrupts are blocked\n",
		       unit->name, unit->irta & VTD_IRTA_ADDR, ret);
		return ret;
	}
	pr_info("%s: interrupt table adopted: %u entries, %u dropped, %s mode, was %#llx\n",
		unit->name, unit->nr_irtes, unit->nr_irtes_dropped,
		eim ? "x2APIC" : "xAPIC", unit->irta);
	if (unit->nr_irtes_reserved)
		pr_info("%s: interrupt entries with reserved bits set: %u, left to the hardware\n",
			unit->name, unit->nr_irtes_reserved);
	return 0;
}
