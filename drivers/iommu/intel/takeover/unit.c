// SPDX-License-Identifier: GPL-2.0-only
/*
 * One remapping unit, from the registers that the crashed kernel left to our
 * own root table: the order of events, and what is decided on the way.
 *
 * Translation is on before, between and after. The table work is in tables.c,
 * giving a device to its new driver in release.c.
 */
#define pr_fmt(fmt) "DMAR: takeover: " fmt

#include <linux/compiler.h>
#include <linux/delay.h>
#include <linux/errno.h>
#include <linux/io.h>
#include <linux/nmi.h>
#include <linux/printk.h>
#include <linux/string.h>

#include "env.h"
#include "unit.h"

/*
 * Commands complete within microseconds. A unit that has not answered after
 * this many is broken, and waiting longer would only cost the dump.
 */
#define COMMAND_TIMEOUT_US	1000000

/*
 * What the crashed kernel left in the invalidation queue is done in
 * microseconds, or waits for a device that does not answer. A unit may let go
 * of its queue when that is over: it gets what the driver allows a register.
 */
#define DRAIN_TIMEOUT_US	100000
#define DRAIN_POLL_US		10
#define STOP_TIMEOUT_US		10000000

/*
 * A command of this kernel's in the queue. Devices have a minute and a half to
 * answer (PCIe 10.3), and two that hang may be asked at once. Until one is asked
 * it is what the driver allows a register. An error that nobody sees to stops
 * the queue for good.
 */
#define QUEUE_ERROR_TIMEOUT_MS	1000
#define QUEUE_TIMEOUT_MS	10000
#define QUEUE_DEVICE_TIMEOUT_MS	300000

static bool is_word(const char *text, size_t length, const char *word)
{
	return length == strlen(word) && !strncmp(text, word, length);
}

static bool parse_option(struct takeover_options *options, const char *text,
			 size_t length)
{
	if (is_word(text, length, "reset"))
		options->reset = true;
	else if (is_word(text, length, "noguard"))
		options->noguard = true;
	else if (is_word(text, length, "guard=strict"))
		options->strict = true;
	else if (is_word(text, length, "quarantine=scratch"))
		options->quarantine = TAKEOVER_SCRATCH;
	else if (is_word(text, length, "quarantine=block"))
		options->quarantine = TAKEOVER_CUT;
	else
		return false;
	return true;
}

/**
 * takeover_parse_options - read the value of intel_iommu_takeover=
 * @arg: the value, or NULL: a mode, and options after it, set apart by commas
 * @options: where to put what it says
 *
 * Return: 0, or -EINVAL, with nothing put anywhere, for a value that means
 * nothing.
 */
int takeover_parse_options(const char *arg, struct takeover_options *options)
{
	size_t length = arg ? strcspn(arg, ",") : 0;
	struct takeover_options found = { };

	if (is_word(arg, length, "adopt"))
		found.mode = TAKEOVER_ADOPT;
	else if (is_word(arg, length, "block"))
		found.mode = TAKEOVER_BLOCK;
	else if (is_word(arg, length, "off"))
		found.mode = TAKEOVER_OFF;
	else
		return -EINVAL;

	while (arg[length]) {
		arg += length + 1;
		length = strcspn(arg, ",");
		if (!parse_option(&found, arg, length))
			return -EINVAL;
	}

	*options = found;
	return 0;
}

static enum vtd_ttm ttm(u64 rtaddr)
{
	return FIELD_GET(VTD_RTADDR_TTM, rtaddr);
}

/**
 * takeover_judge_unit - what a unit, as it was found, asks of the driver
 * @policy: what is known so far; start with zeroes
 * @cap: capability register
 * @ecap: extended capability register
 * @gsts: global status register
 * @rtaddr: root-table address register
 *
 * The mode of the tables cannot be changed while translation is on (11.4.5),
 * so the driver has to run in the mode that is found. A unit without scalable
 * mode stays in legacy mode beside others that have it.
 *
 * Interrupt remapping is often on where translation is off. Hardware then
 * blocks interrupts that are not in remappable format (5.1), so it has to be
 * set up here, too.
 */
void takeover_judge_unit(struct takeover_policy *policy, u64 cap, u64 ecap,
			 u32 gsts, u64 rtaddr)
{
	/* No unit answers at this address. */
	if (cap == ~0ULL && ecap == ~0ULL)
		return;
	if (gsts & VTD_GSTS_IRES)
		policy->remaps = true;
	if (!(gsts & VTD_GSTS_TES))
		return;

	policy->found = true;
	if (ttm(rtaddr) == VTD_TTM_SCALABLE)
		policy->scalable = true;
}

static void report_fault(const struct takeover_unit *unit,
			 const struct takeover_fault *fault)
{
	u16 sid = FIELD_GET(VTD_FRCD_SID, fault->high);
	u8 reason = FIELD_GET(VTD_FRCD_REASON, fault->high);
	u64 what = fault->low & VTD_FRCD_ADDR;
	const char *kind;

	if (reason >= VTD_REASON_IR_FIRST && reason <= VTD_REASON_IR_LAST) {
		kind = "interrupt";
		what = FIELD_GET(VTD_FRCD_INDEX, fault->low);
	} else if (fault->high & VTD_FRCD_T2) {
		kind = fault->high & VTD_FRCD_T1 ? "atomic" : "page request";
	} else {
		kind = fault->high & VTD_FRCD_T1 ? "read" : "write";
	}
	pr_info("%s: fault the crashed kernel left: %02x:%02x.%x %s %#llx, reason %#x\n",
		unit->name, sid >> 8, (sid & 0xff) >> 3, sid & 7, kind, what,
		reason);
}

/*
 * The driver clears the records before it uses the unit, and they may tell
 * why the crashed kernel died. The ring begins where FRI points.
 */
static void keep_faults(struct takeover_unit *unit)
{
	unsigned int base = FIELD_GET(VTD_CAP_FRO, unit->cap) * VTD_FRCD_SIZE;
	unsigned int number = FIELD_GET(VTD_CAP_NFR, unit->cap) + 1;
	unsigned int first = FIELD_GET(VTD_FSTS_FRI, unit->fsts);
	unsigned int i, reg;
	u64 high;

	unit->nr_faults = 0;
	if (!(unit->fsts & VTD_FSTS_PPF))
		return;

	for (i = 0; i < number && unit->nr_faults < TAKEOVER_FAULTS; i++) {
		struct takeover_fault *fault = &unit->faults[unit->nr_faults];

		reg = base + (first + i) % number * VTD_FRCD_SIZE;
		high = vtd_read64(unit, reg + sizeof(u64));
		if (!(high & VTD_FRCD_F))
			break;
		fault->low = vtd_read64(unit, reg);
		fault->high = high;
		unit->nr_faults++;
		report_fault(unit, fault);
	}
}

/**
 * takeover_snapshot - keep what the crashed kernel left in the registers
 * @unit: unit, with its capabilities filled in
 *
 * The events of faults and of page requests are masked: they would go to an
 * address and a vector that the crashed kernel chose. The driver unmasks them
 * when it has its own handlers.
 */
void takeover_snapshot(struct takeover_unit *unit)
{
	vtd_write32(unit, VTD_REG_FECTL, VTD_FECTL_IM);
	if (unit->ecap & VTD_ECAP_PRS)
		vtd_write32(unit, VTD_REG_PECTL, VTD_PECTL_IM);
	unit->fsts = vtd_read32(unit, VTD_REG_FSTS);
	unit->irta = vtd_read64(unit, VTD_REG_IRTA);
	keep_faults(unit);

	unit->gsts = vtd_read32(unit, VTD_REG_GSTS);
	unit->rtaddr = vtd_read64(unit, VTD_REG_RTADDR);
	unit->state = unit->gsts & VTD_GSTS_TES ? TAKEOVER_FOUND : TAKEOVER_IDLE;
}

/*
 * Our tables have the mode that the driver will use. It was chosen from what
 * the units hold, so a difference means tables that nobody can adopt.
 */
static int adopt(struct takeover_unit *unit)
{
	enum vtd_ttm old = ttm(unit->rtaddr);
	int ret;

	if (old != (unit->scalable ? VTD_TTM_SCALABLE : VTD_TTM_LEGACY))
		return -EOPNOTSUPP;

	ret = takeover_copy_tables(unit);
	if (ret)
		return ret;
	takeover_settle_dids(unit);
	takeover_guard(unit);
	return 0;
}

/**
 * takeover_adopt - prepare the root table that replaces the crashed kernel's
 * @unit: unit in state TAKEOVER_FOUND, @unit->scalable set
 * @root: empty page that becomes its root table
 * @mode: TAKEOVER_BLOCK to adopt nothing
 *
 * There is no failure that the caller could treat: what is not adopted is
 * blocked, but for the memory that firmware reserves, and never let through.
 * That is so for a unit in abort mode, too. Whether it takes a table of another
 * mode while translation is on is for the unit to say (11.4.5): if not, it
 * goes on aborting.
 */
void takeover_adopt(struct takeover_unit *unit, u64 *root,
		    enum takeover_mode mode)
{
	int ret = 0;

	unit->root = root;
	if (mode == TAKEOVER_ADOPT)
		ret = adopt(unit);
	if (ret)
		pr_err("%s: old tables not adopted (%d), RTADDR %#llx: all its devices are blocked until their drivers map\n",
		       unit->name, ret, unit->rtaddr);
	if (ret || mode != TAKEOVER_ADOPT)
		takeover_block_unit(unit);

	takeover_map_reserved(unit);
	vtd_flush_lines(root, VTD_TABLE_SIZE);
}

/* Called with the registers locked. */
static int await_status(struct takeover_unit *unit, u32 bit, bool set,
			unsigned int timeout_us)
{
	unsigned int us;

	for (us = 0; us < timeout_us; us++) {
		if (!!(vtd_read32(unit, VTD_REG_GSTS) & bit) == set)
			return 0;
		/* It waits as long as the watchdog does. */
		touch_nmi_watchdog();
		udelay(1);
	}
	return -ETIMEDOUT;
}

/* 11.4.4: the other commands keep the state that the status shows. */
static int set_root(struct takeover_unit *unit, u64 rtaddr)
{
	unsigned long flags;
	u32 state;
	int ret;

	flags = vtd_lock_registers(unit);
	vtd_write64(unit, VTD_REG_RTADDR, rtaddr);
	state = vtd_read32(unit, VTD_REG_GSTS) & ~(u32)VTD_GSTS_ONE_SHOT;
	vtd_write32(unit, VTD_REG_GCMD, state | VTD_GCMD_SRTP);
	ret = await_status(unit, VTD_GSTS_RTPS, true, COMMAND_TIMEOUT_US);
	vtd_unlock_registers(unit, flags);

	return ret;
}

static u64 root_address(const struct takeover_unit *unit)
{
	return virt_to_phys(unit->root) |
	       FIELD_PREP(VTD_RTADDR_TTM, unit->scalable ? VTD_TTM_SCALABLE :
							   VTD_TTM_LEGACY);
}

/**
 * takeover_forget_all - empty the caches of a unit
 * @unit: unit
 *
 * Afterwards it goes by what its tables said before.
 */
void takeover_forget_all(struct takeover_unit *unit)
{
	vtd_inv_context_all(unit);
	if (unit->scalable)
		vtd_inv_pasid_all(unit);
	vtd_inv_iotlb_all(unit);
}

static void tell(const struct takeover_unit *unit)
{
	if (unit->blocked) {
		pr_info("%s: all its devices are blocked until their drivers map, RTADDR was %#llx, translation stayed on\n",
			unit->name, unit->rtaddr);
		return;
	}
	pr_info("%s: adopted %u devices on %u buses, dropped %u entries and %u tables, %s mode, RTADDR was %#llx, translation stayed on\n",
		unit->name, unit->nr_adopted, unit->nr_buses, unit->nr_dropped,
		unit->nr_tables_dropped, unit->scalable ? "scalable" : "legacy",
		unit->rtaddr);
	if (unit->nr_flawed)
		pr_warn("%s: %u of these entries will be faulted by the unit\n",
			unit->name, unit->nr_flawed);
	if (unit->nr_unguarded)
		pr_warn("%s: %u devices pass through or are not guarded, as without the takeover, and may reach this kernel's memory (%d); intel_iommu_takeover=adopt,guard=strict blocks them\n",
			unit->name, unit->nr_unguarded, unit->unguarded_error);
	if (unit->unguarded)
		pr_warn("%s: not guarded (%d): its devices may reach this kernel's memory\n",
			unit->name, unit->unguarded_error);
	else
		pr_info("%s: guarded %u tables, repaired %u entries, cut %u words, in %u pages\n",
			unit->name, unit->nr_guarded, unit->nr_repaired,
			unit->nr_cut, unit->nr_guard_pages);
}

/**
 * takeover_install - point the hardware at our root table, translation on
 * @unit: unit after takeover_adopt()
 *
 * 6.6: a new root table with translation enabled has to give the same results
 * as the old one until the caches are invalidated; copied entries do. What is
 * dropped differs on purpose: either answer is right until the invalidation.
 * Device-TLBs hold what both tables agree on, or are emptied where the guard
 * has cut something. Blocked devices do not get by with theirs: a translated
 * request needs a present entry too (4.1).
 *
 * Some copies have domain ids that no old entry has. What the caches hold under
 * these is of entries long gone, and is forgotten first: while the unit walks the
 * old tables nothing of the kind comes back.
 *
 * A unit that does not complete the command may take the root table later or
 * never. It goes on translating, through one table or the other, both stay
 * where they are, and no new mapping is made that it might not see.
 *
 * May be called again, after the unit lost its registers. Return: 0, or
 * -ETIMEDOUT.
 */
int takeover_install(struct takeover_unit *unit)
{
	bool again = unit->state == TAKEOVER_INSTALLED;
	int ret;

	vtd_flush_write_buffer(unit);
	takeover_forget_all(unit);
	ret = set_root(unit, root_address(unit));
	if (ret) {
		unit->state = TAKEOVER_DEAD;
		pr_err("%s: the unit does not take the new root table: it keeps the old one, drivers cannot map\n",
		       unit->name);
		return ret;
	}

	if (!(unit->cap & VTD_CAP_ESRTPS))
		takeover_forget_all(unit);
	if (!again) {
		takeover_admit_reserved(unit);
		takeover_guard_devices(unit);
		tell(unit);
	}
	/* From now on there are others who write to the tables. */
	unit->state = TAKEOVER_INSTALLED;
	return 0;
}

/*
 * 6.5.2: after a queue error or a time-out no further descriptor is fetched,
 * so that waiting for the tail would be in vain.
 */
static void drain_queue(struct takeover_unit *unit)
{
	unsigned int us;

	for (us = 0; us < DRAIN_TIMEOUT_US; us += DRAIN_POLL_US) {
		if (vtd_read32(unit, VTD_REG_FSTS) & (VTD_FSTS_IQE |
						      VTD_FSTS_ITE))
			return;
		if (vtd_read32(unit, VTD_REG_IQH) ==
		    vtd_read32(unit, VTD_REG_IQT))
			return;
		udelay(DRAIN_POLL_US);
	}
}

/**
 * takeover_stop_queue - switch the invalidation queue off
 * @unit: unit
 *
 * What is left in the queue is the crashed kernel's, which forgot about it
 * when it crashed. It gets a tenth of a second, and the unit ten. Its errors
 * are cleared last, so that the next queue starts without them. A queue that did
 * not stop once is not waited for again.
 *
 * Return: 0, or -ETIMEDOUT if the unit does not let go of the queue. It may go
 * on reading the old one, and is not given another.
 */
int takeover_stop_queue(struct takeover_unit *unit)
{
	unsigned long flags;
	u32 state;
	int ret = 0;

	if (unit->queue_lost)
		return -ETIMEDOUT;

	flags = vtd_lock_registers(unit);
	if (vtd_read32(unit, VTD_REG_GSTS) & VTD_GSTS_QIES) {
		drain_queue(unit);
		state = vtd_read32(unit, VTD_REG_GSTS) &
			~(u32)(VTD_GSTS_ONE_SHOT | VTD_GSTS_QIES);
		vtd_write32(unit, VTD_REG_GCMD, state);
		ret = await_status(unit, VTD_GSTS_QIES, false,
				   STOP_TIMEOUT_US);
	}
	vtd_write32(unit, VTD_REG_FSTS,
		    VTD_FSTS_IQE | VTD_FSTS_ITE | VTD_FSTS_ICE);
	vtd_unlock_registers(unit, flags);

	if (ret) {
		unit->queue_lost = true;
		pr_err("%s: the unit does not let go of the invalidation queue, going on without\n",
		       unit->name);
	}
	return ret;
}

static u64 queue_timeout_ms(struct takeover_unit *unit)
{
	u32 fsts = vtd_read32(unit, VTD_REG_FSTS);

	/* No unit answers any more. */
	if (fsts == ~0U)
		return 0;
	if (fsts & VTD_FSTS_IQE)
		return QUEUE_ERROR_TIMEOUT_MS;
	return READ_ONCE(unit->asks_devices) ? QUEUE_DEVICE_TIMEOUT_MS :
					       QUEUE_TIMEOUT_MS;
}

/**
 * takeover_gives_up_queue - is a command in the queue not waited for any longer?
 * @unit: unit
 * @waited_ms: how long it was waited for, in milliseconds, time-outs included
 *
 * The unit is not given a queue again. Does not sleep; the caller keeps others
 * away from the queue.
 *
 * Return: true from the first time on that it was in vain.
 */
bool takeover_gives_up_queue(struct takeover_unit *unit, u64 waited_ms)
{
	if (unit->queue_lost)
		return true;
	if (waited_ms < queue_timeout_ms(unit))
		return false;

	pr_err("%s: the invalidation queue does not move, going on without\n",
	       unit->name);
	takeover_stop_queue(unit);
	unit->queue_lost = true;
	return true;
}

/*
 * Writes a command to a register that clears the bit @busy when it is over, and
 * says in @done how much it did. Nothing is what a unit does that has not let go
 * of its queue (11.4.6, 11.4.8); of others the driver does not ask either.
 */
static int command_register(struct takeover_unit *unit, unsigned int reg,
			    u64 command, u64 busy, u64 done)
{
	unsigned long flags;
	int ret = -ETIMEDOUT;
	unsigned int us;
	u64 value;

	flags = vtd_lock_registers(unit);
	vtd_write64(unit, reg, command | busy);
	for (us = 0; us < COMMAND_TIMEOUT_US; us++) {
		value = vtd_read64(unit, reg);
		if (!(value & busy)) {
			ret = value & done || !unit->queue_lost ? 0 : -EIO;
			break;
		}
		udelay(1);
	}
	vtd_unlock_registers(unit, flags);
	return ret;
}

/*
 * 6.5.1: registers invalidate in legacy mode only. In scalable mode the caches
 * are emptied by another root table, or the same one, if the unit says so. As
 * long as it has the crashed kernel's, ours does it when it is installed.
 */
static int forget_by_registers(struct takeover_unit *unit)
{
	u64 rtaddr;
	int ret;

	if (unit->scalable) {
		if (!(unit->cap & VTD_CAP_ESRTPS))
			return -EOPNOTSUPP;
		if (unit->state == TAKEOVER_DEAD)
			return -ETIMEDOUT;
		rtaddr = vtd_read64(unit, VTD_REG_RTADDR);
		if (unit->state == TAKEOVER_FOUND && rtaddr == unit->rtaddr)
			return 0;
		return set_root(unit, rtaddr);
	}

	vtd_flush_write_buffer(unit);
	ret = command_register(unit, VTD_REG_CCMD, VTD_CCMD_GLOBAL,
			       VTD_CCMD_ICC, VTD_CCMD_CAIG);
	if (ret)
		return ret;
	return command_register(unit, VTD_IOTLB_REG(unit->ecap),
				VTD_IOTLB_GLOBAL | VTD_IOTLB_DRAIN,
				VTD_IOTLB_IVT, VTD_IOTLB_IAIG);
}

/**
 * takeover_do_without_queue - do what a command for the invalidation queue asks
 * @unit: unit that has no queue, or whose queue is not used any more
 * @descriptor: word 0 of the command (6.5.2)
 *
 * Whatever it wants forgotten, everything is: always right, and the unit is
 * broken. What it cannot be made to forget no device is released from any more.
 * Does not sleep.
 *
 * Return: 0; -ETIMEDOUT; -EIO if the unit refuses; or -EOPNOTSUPP: for devices,
 * interrupts and answers to page requests there are no registers, nor for
 * scalable mode without ESRTPS.
 */
int takeover_do_without_queue(struct takeover_unit *unit, u64 descriptor)
{
	int ret;

	switch (FIELD_GET(VTD_QI_TYPE, descriptor)) {
	case VTD_QI_CONTEXT:
	case VTD_QI_IOTLB:
	case VTD_QI_PASID_IOTLB:
	case VTD_QI_PASID_CACHE:
		ret = forget_by_registers(unit);
		if (ret)
			WRITE_ONCE(unit->stale, true);
		return ret;
	case VTD_WAIT:
		return 0;
	default:
		return -EOPNOTSUPP;
	}
}
