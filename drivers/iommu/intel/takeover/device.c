// SPDX-License-Identifier: GPL-2.0-only
/*
 * What a device itself keeps of the crashed kernel: translations in a TLB of
 * its own, and the switches that let it ask for them, for pages, and with
 * PASIDs.
 *
 * The old mappings need all of it, so that it stays as it was found until the
 * device is released. Afterwards the entry is empty, and the device as one
 * that nobody has set up.
 */
#define pr_fmt(fmt) "DMAR: takeover: " fmt

#include <linux/bitops.h>
#include <linux/compiler.h>
#include <linux/errno.h>
#include <linux/printk.h>

#include "env.h"
#include "unit.h"

/*
 * Some devices have to be told twice (the driver's dtlb_extra_inval), and no
 * other comes to harm by it.
 */
#define TIMES_TOLD	2

/* Return: 0, or -ETIMEDOUT; then it is not told anything more. */
static int tell(struct takeover_unit *unit, struct device *dev, u16 rid,
		bool pasids)
{
	unsigned int i;

	for (i = 0; i < TIMES_TOLD; i++) {
		if (vtd_inv_devtlb(unit, dev, rid, pasids))
			set_bit(rid, unit->silent);
		if (takeover_is_silent(unit, rid))
			return -ETIMEDOUT;
	}
	return 0;
}

/*
 * 6.5.2.5, 6.5.2.6: translations are forgotten without a PASID, or with it. A
 * unit that has no device-TLBs does not know these commands, and with no
 * PASIDs there was none to learn with. Who was silent before may have been
 * reset since. The caller keeps others from asking devices of the unit.
 */
static int forget_translations(struct takeover_unit *unit, struct device *dev,
			       u16 rid, bool pasids)
{
	int ret;

	if (!(unit->ecap & VTD_ECAP_DT))
		return 0;

	clear_bit(rid, unit->silent);
	unit->asked = rid;
	WRITE_ONCE(unit->asks, true);
	ret = tell(unit, dev, rid, false);
	if (!ret && pasids && unit->scalable && (unit->ecap & VTD_ECAP_PASID))
		ret = tell(unit, dev, rid, true);
	WRITE_ONCE(unit->asks, false);
	return ret;
}

/**
 * takeover_is_silent - did a device not answer when it was last asked to forget?
 * @unit: unit that translates for it
 * @rid: its requester id
 */
bool takeover_is_silent(const struct takeover_unit *unit, u16 rid)
{
	return test_bit(rid, unit->silent);
}

/**
 * takeover_settle_device - make a function agree with its empty entry
 * @unit: unit that translates for the function
 * @dev: the function's device
 * @rid: its requester id, with an entry that is not present and in no cache
 * @on: what of the crashed kernel's is on in it, VTD_DEVICE_*
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

/*
 * What may be on in a function that nobody can look at: what its entry allows.
 * An entry that does not allow device-TLBs lets the unit block what comes out of
 * them (9.3, 9.4), and a function without ATS would not answer.
 */
static unsigned int on_by_entry(const struct takeover_unit *unit, u16 rid)
{
	u64 entry = READ_ONCE(*takeover_context_entry(unit, rid));

	if (!unit->scalable)
		return FIELD_GET(VTD_CTX_TT, entry) == VTD_TT_ALL ?
			       VTD_DEVICE_ATS : 0;
	if (!(entry & VTD_SM_CTX_DTE))
		return 0;
	return entry & VTD_SM_CTX_PASIDE ? VTD_DEVICE_ATS | VTD_DEVICE_PASID :
					   VTD_DEVICE_ATS;
}

/**
 * takeover_make_forget - empty the device-TLB of a function that is not released
 * @unit: unit that uses our root table
 * @rid: requester id with a present entry, of a function or an alias of some
 *
 * A function that is hidden from this kernel goes on with its DMA: the extended
 * configuration space by pci=nommconf, a virtual function by a kernel without
 * CONFIG_PCI_IOV. Its command needs no more than its id. A kernel that has
 * CONFIG_PCI_IOV switched all virtual functions off when it found them: who is
 * not there is not asked, for the time that it takes.
 *
 * Return: 0, or -ETIMEDOUT if there is one and it does not answer.
 */
int takeover_make_forget(struct takeover_unit *unit, u16 rid)
{
	struct device *dev = vtd_find_device(unit, rid);
	unsigned int on = 0;
	int ret = 0;

	if (dev)
		on = vtd_device_off(dev, rid, 0);
	else if (vtd_hidden_function_answers(unit, rid))
		on = VTD_DEVICE_HIDDEN;
	if (on & VTD_DEVICE_HIDDEN)
		on = on_by_entry(unit, rid);
	if (on & VTD_DEVICE_ATS)
		ret = forget_translations(unit, dev, rid,
					  on & VTD_DEVICE_PASID);
	if (dev)
		vtd_put_device(dev);
	return ret;
}

/* Return: whom a command is for, by its word 0 (6.5.2); -1: not for a device. */
static int device_of(u64 descriptor)
{
	switch (FIELD_GET(VTD_QI_TYPE, descriptor)) {
	case VTD_QI_DEVTLB:
		return FIELD_GET(VTD_QI_SID, descriptor);
	case VTD_QI_PASID_DEVTLB:
		return FIELD_GET(VTD_QI_PASID_SID, descriptor);
	default:
		return -1;
	}
}

/**
 * takeover_note_command - be ready to wait long, if a command is for a device
 * @unit: unit in whose queue it is
 * @descriptor: its word 0 (6.5.2)
 */
void takeover_note_command(struct takeover_unit *unit, u64 descriptor)
{
	if (device_of(descriptor) >= 0)
		WRITE_ONCE(unit->asks_devices, true);
}

/**
 * takeover_gives_up_device - is a device asked to forget for the last time?
 * @unit: unit that gave up waiting for something in its queue
 * @descriptor: word 0 of a command in it (6.5.2)
 * @aborts: how often its wait was aborted
 *
 * A time-out aborts all waits, and all are queued again (6.5.2.10). That goes
 * on as long as the command of a device that is dead is among them. Each costs
 * what hardware allows a device, a minute and a half by PCIe 10.3.
 *
 * So a device that the takeover asks has one chance. Should the time-out have
 * been another device's: when the guard asks there is no other, and at a
 * release ATS is switched off, with which nothing that is remembered counts.
 *
 * Return: true if the command is one for a device, and had its chances.
 */
bool takeover_gives_up_device(struct takeover_unit *unit, u64 descriptor,
			      unsigned int aborts)
{
	int rid = device_of(descriptor);

	if (rid < 0)
		return false;
	if (aborts < TAKEOVER_ABORTS_MAX &&
	    !(READ_ONCE(unit->asks) && unit->asked == rid))
		return false;
	unit->nr_unanswered++;
	set_bit(rid, unit->silent);
	pr_err("%s: %02x:%02x.%x answers no invalidation, going on without\n",
	       unit->name, VTD_RID_BUS(rid), VTD_RID_SLOT(rid),
	       VTD_RID_FUNCTION(rid));
	return true;
}
