// SPDX-License-Identifier: GPL-2.0-only
/*
 * One remapping unit, from the registers that the old kernel left to our own
 * root table: the order of events, and what is decided on the way.
 *
 * Translation is on before, between and after. The table work is in tables.c,
 * giving a device to its new driver in release.c.
 */
#define pr_fmt(fmt) "DMAR: takeover: " fmt

#include <linux/bitmap.h>
#include <linux/delay.h>
#include <linux/errno.h>
#include <linux/gfp.h>
#include <linux/init.h>
#include <linux/io.h>
#include <linux/printk.h>
#include <linux/string.h>

#include "env.h"
#include "unit.h"

/* Requester ids of one PCI segment. */
#define TAKEOVER_RIDS	65536

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
static int __init adopt(struct takeover_unit *unit)
{
	enum vtd_ttm old = ttm(unit->rtaddr);

	if (old != (unit->scalable ? VTD_TTM_SCALABLE : VTD_TTM_LEGACY))
		return -EOPNOTSUPP;

	unit->adopted = bitmap_zalloc(TAKEOVER_RIDS, GFP_KERNEL);
	if (!unit->adopted)
		return -ENOMEM;

	return takeover_copy_tables(unit);
}

/**
 * takeover_adopt - prepare the root table that replaces the old kernel's
 * @unit: unit in state TAKEOVER_FOUND, @unit->scalable set
 * @root: empty page that becomes its root table
 *
 * There is no failure that the caller could treat: what cannot be adopted is
 * left out of our tables, and DMA that is left out is blocked, never let
 * through.
 */
void __init takeover_adopt(struct takeover_unit *unit, u64 *root)
{
	int ret;

	unit->root = root;
	ret = adopt(unit);
	if (ret)
		pr_err("%s: old tables not adopted (%d), RTADDR %#llx: all its devices are blocked until their drivers map\n",
		       unit->name, ret, unit->rtaddr);
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

/**
 * takeover_install - point the hardware at our root table, translation on
 * @unit: unit after takeover_adopt()
 *
 * 6.6: a new root table with translation enabled has to give the same results
 * as the old one until the caches are invalidated; copied entries do. Device
 * TLBs hold what both tables agree on and need no invalidation.
 *
 * Return: 0, or -ETIMEDOUT if the unit does not take the root table. It then
 * goes on with the old one, which is still there.
 */
int takeover_install(struct takeover_unit *unit)
{
	enum vtd_ttm mode = unit->scalable ? VTD_TTM_SCALABLE : VTD_TTM_LEGACY;
	int ret;

	vtd_flush_write_buffer(unit);
	ret = set_root(unit, virt_to_phys(unit->root) |
			     FIELD_PREP(VTD_RTADDR_TTM, mode));
	if (ret) {
		pr_err("%s: the unit does not take the new root table: it keeps the old one\n",
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

	pr_info("%s: adopted %u devices on %u buses, %u tables dropped, %s mode, RTADDR was %#llx, translation stayed on\n",
		unit->name, unit->nr_adopted, unit->nr_buses, unit->nr_dropped,
		unit->scalable ? "scalable" : "legacy", unit->rtaddr);
	return 0;
}
