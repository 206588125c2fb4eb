// SPDX-License-Identifier: GPL-2.0-only
/*
 * One remapping unit, from the registers that the old kernel left to our own
 * root table: the order of events, and what is decided on the way.
 *
 * Translation is on before, between and after. The table work is in tables.c,
 * giving a device to its new driver in release.c.
 */
#define pr_fmt(fmt) "DMAR: takeover: " fmt

#include <linux/delay.h>
#include <linux/errno.h>
#include <linux/io.h>
#include <linux/printk.h>
#include <linux/string.h>

#include "env.h"
#include "unit.h"

/*
 * Commands complete within microseconds. A unit that has not answered after
 * this many is broken, and waiting longer would only cost the dump.
 */
#define COMMAND_TIMEOUT_US	1000000

/**
 * takeover_parse_mode - read the value of intel_iommu_takeover=
 * @arg: the value, or NULL
 * @mode: where to put it; unchanged on an error
 *
 * Return: 0, or -EINVAL for a value that means nothing.
 */
int takeover_parse_mode(const char *arg, enum takeover_mode *mode)
{
	if (arg && !strcmp(arg, "adopt"))
		*mode = TAKEOVER_ADOPT;
	else if (arg && !strcmp(arg, "block"))
		*mode = TAKEOVER_BLOCK;
	else if (arg && !strcmp(arg, "off"))
		*mode = TAKEOVER_OFF;
	else
		return -EINVAL;
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
 */
void takeover_judge_unit(struct takeover_policy *policy, u64 cap, u64 ecap,
			 u32 gsts, u64 rtaddr)
{
	/* No unit answers at this address. */
	if (cap == ~0ULL && ecap == ~0ULL)
		return;
	if (!(gsts & VTD_GSTS_TES))
		return;

	policy->found = true;
	if (ttm(rtaddr) == VTD_TTM_SCALABLE)
		policy->scalable = true;
}

/**
 * takeover_snapshot - keep what the old kernel left in the registers
 * @unit: unit, with its capabilities filled in
 */
void takeover_snapshot(struct takeover_unit *unit)
{
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

	if (old != (unit->scalable ? VTD_TTM_SCALABLE : VTD_TTM_LEGACY))
		return -EOPNOTSUPP;

	return takeover_copy_tables(unit);
}

/**
 * takeover_adopt - prepare the root table that replaces the old kernel's
 * @unit: unit in state TAKEOVER_FOUND, @unit->scalable set
 * @root: empty page that becomes its root table
 * @mode: TAKEOVER_BLOCK to adopt nothing
 *
 * There is no failure that the caller could treat: what is not adopted is
 * blocked, but for the memory that firmware reserves, and never let through.
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
static int await_status(struct takeover_unit *unit, u32 bit)
{
	unsigned int us;

	for (us = 0; us < COMMAND_TIMEOUT_US; us++) {
		if (vtd_read32(unit, VTD_REG_GSTS) & bit)
			return 0;
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
	ret = await_status(unit, VTD_GSTS_RTPS);
	vtd_unlock_registers(unit, flags);

	return ret;
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
}

/**
 * takeover_install - point the hardware at our root table, translation on
 * @unit: unit after takeover_adopt()
 *
 * 6.6: a new root table with translation enabled has to give the same results
 * as the old one until the caches are invalidated; copied entries do. What is
 * dropped differs on purpose: either answer is right until the invalidation.
 * Device-TLBs hold what both tables agree on, and blocked devices do not get
 * by with theirs: a translated request needs a present entry too (4.1).
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
	enum vtd_ttm mode = unit->scalable ? VTD_TTM_SCALABLE : VTD_TTM_LEGACY;
	bool again = unit->state == TAKEOVER_INSTALLED;
	int ret;

	vtd_flush_write_buffer(unit);
	ret = set_root(unit, virt_to_phys(unit->root) |
			     FIELD_PREP(VTD_RTADDR_TTM, mode));
	if (ret) {
		unit->state = TAKEOVER_DEAD;
		pr_err("%s: the unit does not take the new root table: it keeps the old one, drivers cannot map\n",
		       unit->name);
		return ret;
	}

	if (!(unit->cap & VTD_CAP_ESRTPS)) {
		vtd_inv_context_all(unit);
		if (unit->scalable)
			vtd_inv_pasid_all(unit);
		vtd_inv_iotlb_all(unit);
	}
	unit->state = TAKEOVER_INSTALLED;
	if (!again)
		tell(unit);
	return 0;
}
