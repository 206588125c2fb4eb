// SPDX-License-Identifier: GPL-2.0-only
/*
 * What a device itself keeps of the old kernel: translations in a TLB of its
 * own, and the switches that let it ask for them, for pages, and with PASIDs.
 *
 * The old mappings need all of it, so that it stays as it was found until the
 * device is released. Afterwards the entry is empty, and the device as one
 * that nobody has set up.
 */
#define pr_fmt(fmt) "DMAR: takeover: " fmt

#include <linux/errno.h>
#include <linux/printk.h>

#include "env.h"
#include "unit.h"

/*
 * 6.5.2.5, 6.5.2.6: translations are forgotten without a PASID, or with it. A
 * unit that has no device-TLBs does not know these commands, and with no
 * PASIDs there was none to learn with.
 */
static void forget_translations(struct takeover_unit *unit, struct device *dev,
				u16 rid, bool pasids)
{
	if (!(unit->ecap & VTD_ECAP_DT))
		return;

	vtd_inv_devtlb(unit, dev, rid, false);
	if (pasids && unit->scalable && (unit->ecap & VTD_ECAP_PASID))
		vtd_inv_devtlb(unit, dev, rid, true);
}

/**
 * takeover_settle_device - make a function agree with its empty entry
 * @unit: unit that translates for the function
 * @dev: the function's device
 * @rid: its requester id, with an entry that is not present and in no cache
 * @on: what of the old kernel's is on in it, VTD_DEVICE_*
 *
 * A function answers invalidations while its ATS is on, and forgets by itself
 * only when that is switched on anew (PCIe 10.3.7). PASIDs must not change
 * while ATS is on (PCIe 7.8.9.3), and who asks for pages has to be told about
 * them by ATS (PCIe 10.4.1). So page requests end first, ATS when there is
 * nothing left to remember, PASIDs last.
 *
 * What this kernel has switched on is left alone. Does not sleep.
 */
void takeover_settle_device(struct takeover_unit *unit, struct device *dev,
			    u16 rid, unsigned int on)
{
	if (on & VTD_DEVICE_PRI)
		vtd_device_off(dev, rid, VTD_DEVICE_PRI);
	if (on & VTD_DEVICE_ATS) {
		forget_translations(unit, dev, rid, on & VTD_DEVICE_PASID);
		vtd_device_off(dev, rid, VTD_DEVICE_ATS);
	}
	if (on & VTD_DEVICE_PASID)
		vtd_device_off(dev, rid, VTD_DEVICE_PASID);
}

/**
 * takeover_make_forget - empty the device-TLB of a function that is not released
 * @unit: unit that uses our root table
 * @rid: requester id, of a function or an alias of some
 *
 * Return: 0, or -ETIMEDOUT if there is one and it does not answer.
 */
int takeover_make_forget(struct takeover_unit *unit, u16 rid)
{
	unsigned int before = unit->nr_unanswered, on;
	struct device *dev = vtd_find_device(unit, rid);

	if (!dev)
		return 0;
	on = vtd_device_off(dev, rid, 0);
	if (on & VTD_DEVICE_ATS)
		forget_translations(unit, dev, rid, on & VTD_DEVICE_PASID);
	vtd_put_device(dev);
	return unit->nr_unanswered == before ? 0 : -ETIMEDOUT;
}

/**
 * takeover_gives_up_device - is a device asked to forget for the last time?
 * @unit: unit that gave up waiting for something in its queue
 * @descriptor: word 0 of a command in it (6.5.2)
 * @aborts: how often its wait was aborted
 *
 * A time-out aborts all waits, and all are queued again (6.5.2.10). That goes
 * on as long as the command of a device that is dead is among them.
 *
 * Return: true if the command is one for a device, and had its chances.
 */
bool takeover_gives_up_device(struct takeover_unit *unit, u64 descriptor,
			      unsigned int aborts)
{
	unsigned int rid;

	switch (FIELD_GET(VTD_QI_TYPE, descriptor)) {
	case VTD_QI_DEVTLB:
		rid = FIELD_GET(VTD_QI_SID, descriptor);
		break;
	case VTD_QI_PASID_DEVTLB:
		rid = FIELD_GET(VTD_QI_PASID_SID, descriptor);
		break;
	default:
		return false;
	}
	if (aborts < TAKEOVER_ABORTS_MAX)
		return false;
	unit->nr_unanswered++;
	pr_err("%s: %02x:%02x.%x answers no invalidation, going on without\n",
	       unit->name, VTD_RID_BUS(rid), VTD_RID_SLOT(rid),
	       VTD_RID_FUNCTION(rid));
	return true;
}
