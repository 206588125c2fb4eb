// SPDX-License-Identifier: GPL-2.0-only
/*
 * Fault storms: requesters that fault without end before they are released.
 *
 * Nobody stopped the devices of the crashed kernel. One whose old tables fault,
 * or that has no entry at all, may fault for as long as the kdump kernel runs;
 * with one processor that kernel must not be kept from its dump by the faults'
 * interrupts. After a few faults such a requester gets FPD set in our copy of
 * its entry (9.3, 9.4): what its DMA gets to stays the same, but nothing is
 * recorded any more.
 *
 * The driver's handler tells of each fault, in hard interrupt context. There
 * nothing can be changed: it may have interrupted whoever holds the driver's
 * lock on the context tables, which is taken with interrupts enabled, or waits
 * for an invalidation. So the handler only counts. When it has heard enough
 * it goes deaf, and leaves the rest to work that runs later, where locks can be
 * waited for. Deaf, it clears no record. As long as one is in use the unit
 * sends no further fault event (7.3), and when all are it drops what comes
 * (7.2.1): faults then cost the processor nothing, however late the work is.
 *
 * Some faults no bit can silence: those of requesters that drivers own by now,
 * of interrupts, and those from before our root table is installed. Of them
 * deafness lets through so many between two turns of the work, no more.
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

/*
 * The first fault says that there is something wrong, some more whether it goes
 * on and at which addresses. The driver prints ten lines in five seconds, for
 * all devices: more of one would be counted by nobody.
 */
#define FAULTS_MAX	4

/*
 * Faults of whatever kind between two turns of the work. Most units have fewer
 * records, so that one turn empties them all.
 */
#define BURST_MAX	64

/*
 * Can a bit of ours silence it? A hint only in the handler, where the entry
 * may be about to change; it is asked again under the lock.
 */
static bool may_silence(const struct takeover_unit *unit, u16 rid)
{
	const u64 *entry;

	if (unit->state != TAKEOVER_INSTALLED)
		return false;
	if (test_bit(rid, unit->adopted))
		return true;
	entry = takeover_context_entry(unit, rid);
	return !entry || !(READ_ONCE(entry[0]) & VTD_CTX_PRESENT);
}

/*
 * Where a requester's faults are counted. When all places are taken, a new one
 * takes that of the quietest, with its count. So the counts only grow, and
 * however many requesters take turns, all they can have recorded is FAULTS_MAX
 * each and as much as the places hold. The price is that in such a crowd one
 * may be silenced after less than FAULTS_MAX of its own.
 */
static struct takeover_noise *noise_of(struct takeover_unit *unit, u16 rid)
{
	struct takeover_noise *quietest = unit->noise;
	unsigned int i;

	for (i = 0; i < TAKEOVER_NOISY; i++) {
		if (unit->noise[i].count && unit->noise[i].rid == rid)
			return &unit->noise[i];
		if (unit->noise[i].count < quietest->count)
			quietest = &unit->noise[i];
	}
	quietest->rid = rid;
	return quietest;
}

static bool is_of_interrupt(u8 reason)
{
	return reason >= VTD_REASON_IR_FIRST && reason <= VTD_REASON_IR_LAST;
}

/* Is this one fault too many of a requester that can be silenced? */
static bool too_many_of_one(struct takeover_unit *unit, u64 record)
{
	u16 rid = FIELD_GET(VTD_FRCD_SID, record);
	u8 reason = FIELD_GET(VTD_FRCD_REASON, record);
	struct takeover_noise *noise;

	if (is_of_interrupt(reason) || !may_silence(unit, rid))
		return false;

	noise = noise_of(unit, rid);
	noise->reason = reason;
	return ++noise->count >= FAULTS_MAX;
}

/**
 * takeover_hear_fault - the driver is about to handle a fault record
 * @unit: unit, its registers locked
 * @reg: offset of the record, which is in use (11.4, FRCD_REG)
 *
 * Called in hard interrupt context. A handler that clears records until it
 * finds none never ends if the unit is the faster one: it has to end, and leave
 * the record as it is, when this says so. When @unit->deaf is set afterwards,
 * takeover_quiet() and takeover_hear_again() have to run soon, not at once.
 * Until then the counts belong to them.
 *
 * Return: true if the record, and what follows it, is left for later.
 */
bool takeover_hear_fault(struct takeover_unit *unit, unsigned int reg)
{
	u64 record;

	if (unit->deaf)
		return true;

	record = vtd_read64(unit, reg + sizeof(u64));
	if (too_many_of_one(unit, record) || ++unit->nr_heard >= BURST_MAX)
		unit->deaf = true;
	return false;
}

/*
 * A bus of which the crashed kernel had nothing. The others on it stay as they
 * are, not present and heard. Nothing present changes, so that nothing has to
 * be invalidated but for the one entry.
 */
static u64 *add_table(struct takeover_unit *unit, u16 rid)
{
	u64 *word = takeover_root_word(unit, rid);
	u64 *table = vtd_alloc_table(unit, GFP_ATOMIC);

	if (!table)
		return NULL;
	vtd_flush_lines(table, VTD_TABLE_SIZE);
	vtd_flush_write_buffer(unit);
	WRITE_ONCE(*word, virt_to_phys(table) | VTD_ROOT_PRESENT);
	vtd_flush_lines(word, sizeof(*word));
	return takeover_context_entry(unit, rid);
}

/*
 * What word 0 of an entry has to be for silence. 7.1: FPD does not count where
 * reserved bits of the entry itself are set. No request gets through such an
 * entry, so it may as well be not present.
 */
static u64 silent_word(u64 word, u8 reason)
{
	word |= VTD_CTX_FPD;
	if (reason == VTD_REASON_CTX_RESERVED ||
	    reason == VTD_REASON_SM_CTX_RESERVED)
		word &= ~VTD_CTX_PRESENT;
	return word;
}

static void report(struct takeover_unit *unit,
		   const struct takeover_noise *noise)
{
	u16 rid = noise->rid;

	if (unit->nr_silenced < TAKEOVER_REPORTS_MAX)
		pr_warn("%s: %02x:%02x.%x: it faults again and again, reason %#x: not recorded any more until its driver maps\n",
			unit->name, VTD_RID_BUS(rid), VTD_RID_SLOT(rid),
			VTD_RID_FUNCTION(rid), noise->reason);
	else if (unit->nr_silenced == TAKEOVER_REPORTS_MAX)
		pr_warn("%s: more devices fault again and again, and are not named\n",
			unit->name);
	unit->nr_silenced++;
}

/*
 * 6.5.3.3: the change of a present entry. One that is not present, or that the
 * unit faults, may be known to a unit in caching mode (6.1), by domain id 0. In
 * scalable mode FPD of the context entry silences all PASIDs behind it.
 */
static void silence(struct takeover_unit *unit,
		    const struct takeover_noise *noise)
{
	u64 *entry = takeover_context_entry(unit, noise->rid);
	u64 before, after;

	if (!may_silence(unit, noise->rid))
		return;
	if (!entry)
		entry = add_table(unit, noise->rid);
	/* Without memory for a table it is heard, and tried, again. */
	if (!entry)
		return;

	before = READ_ONCE(entry[0]);
	after = silent_word(before, noise->reason);
	/* These faults are older than the silence. */
	if (after == before)
		return;

	WRITE_ONCE(entry[0], after);
	vtd_flush_lines(entry, sizeof(*entry));
	vtd_flush_write_buffer(unit);
	vtd_inv_context(unit, 0, noise->rid);
	if (before & VTD_CTX_PRESENT)
		takeover_forget_entry(unit, noise->rid);
	report(unit, noise);
}

/**
 * takeover_quiet - silence who was heard too often
 * @unit: unit that is deaf and uses our root table
 *
 * Does not sleep. The caller keeps others away from the unit's context tables,
 * and is not in interrupt context.
 *
 * A requester that was counted while it was held may have been released since;
 * then it is none of ours. One between its release and its driver's entry is
 * silenced for the moment: the entry that its driver writes is complete.
 */
void takeover_quiet(struct takeover_unit *unit)
{
	unsigned int i;

	for (i = 0; i < TAKEOVER_NOISY; i++) {
		if (unit->noise[i].count < FAULTS_MAX)
			continue;
		silence(unit, &unit->noise[i]);
		unit->noise[i].count = 0;
	}
}

/**
 * takeover_hear_again - end a unit's deafness
 * @unit: unit
 *
 * The caller then handles the records that are left, each heard as ever: the
 * unit does not tell of them again. A handler that is still outrun goes deaf
 * again.
 */
void takeover_hear_again(struct takeover_unit *unit)
{
	unsigned long flags;

	flags = vtd_lock_registers(unit);
	unit->nr_heard = 0;
	unit->deaf = false;
	vtd_unlock_registers(unit, flags);
}
