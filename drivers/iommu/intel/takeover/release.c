// SPDX-License-Identifier: GPL-2.0-only
/*
 * The swap: a device leaves the crashed kernel's mappings when its new driver
 * maps for the first time.
 *
 * By then the driver has reset the device, and its DMA of old has ended. The
 * adopted entry is taken out of every cache before the driver's own entry is
 * written. Runs inside the driver's first dma_map, perhaps in atomic context:
 * nothing here sleeps or reads the crashed kernel's memory.
 */
#include <linux/bitops.h>
#include <linux/compiler.h>
#include <linux/errno.h>

#include "env.h"
#include "unit.h"

/**
 * takeover_holds_rid - does a requester id still have the entry we gave it?
 * @unit: unit
 * @rid: requester id
 *
 * Return: true until its driver maps, whether the entry was adopted or blocks.
 */
bool takeover_holds_rid(const struct takeover_unit *unit, u16 rid)
{
	return test_bit(rid, unit->adopted) || takeover_blocks_rid(unit, rid);
}

static int holds_rid(u16 rid, void *data)
{
	return takeover_holds_rid(data, rid);
}

/**
 * takeover_holds_device - does any requester id of a device wait for release?
 * @unit: unit that translates for the device
 * @dev: device
 */
bool takeover_holds_device(struct takeover_unit *unit, struct device *dev)
{
	return vtd_visit_rids(dev, holds_rid, unit);
}

/*
 * 6.5.3.3: what has to be invalidated after a present context entry was
 * changed. Which domain ids and PASIDs a scalable entry used is not known at
 * this depth, so nothing less than everything will do. The same holds for an
 * id that the unit does not implement: no invalidation can name it.
 */
static void forget_entry(struct takeover_unit *unit, u16 rid, u16 did)
{
	if (unit->scalable) {
		vtd_inv_context(unit, 0, rid);
		vtd_inv_pasid_all(unit);
		vtd_inv_iotlb_all(unit);
	} else if (did >= vtd_domain_ids(unit->cap)) {
		vtd_inv_context_all(unit);
		vtd_inv_iotlb_all(unit);
	} else {
		vtd_inv_context(unit, did, rid);
		vtd_inv_iotlb_domain(unit, did);
	}
}

/* Most devices have nothing to settle; so has what is gone, and an alias. */
static void settle(struct takeover_unit *unit, struct device *dev, u16 rid)
{
	unsigned int on = vtd_device_off(dev, rid, 0);

	if (on)
		takeover_settle_device(unit, dev, rid, on);
}

/*
 * First the present bit alone, so that hardware never sees half an entry.
 * @left is what stays of word 0.
 */
static __always_inline u64 *hide_entry(struct takeover_unit *unit, u16 rid,
				       u64 left)
{
	u64 *entry = takeover_context_entry(unit, rid);
	u64 word = READ_ONCE(entry[0]);

	WRITE_ONCE(entry[0], (word & ~VTD_CTX_PRESENT) | left);
	vtd_flush_lines(entry, sizeof(*entry));
	vtd_flush_write_buffer(unit);

	forget_entry(unit, rid, FIELD_GET(VTD_CTX_DID, READ_ONCE(entry[1])));
	return entry;
}

/*
 * The rest when no cache refers to it any more. An entry lies in one line, and
 * who makes it present flushes that: until then no word of the rest counts.
 */
static __always_inline void clear_entry(struct takeover_unit *unit, u16 rid,
					u64 *entry, u64 left)
{
	WRITE_ONCE(entry[0], left);
	WRITE_ONCE(entry[1], 0);
	if (unit->scalable) {
		WRITE_ONCE(entry[2], 0);
		WRITE_ONCE(entry[3], 0);
	}
	clear_bit(rid, unit->adopted);
}

/**
 * takeover_evict_rid - block a requester whose old mappings cannot be kept
 * @unit: unit that uses our root table
 * @rid: requester id with an adopted entry
 * @error: why, for people
 *
 * What its device-TLB holds is of no use without a present entry (4.1), and is
 * invalidated when the device is released. Does not sleep; the caller keeps
 * others away from the unit's context tables.
 */
void takeover_evict_rid(struct takeover_unit *unit, u16 rid, int error)
{
	u64 *entry = takeover_context_entry(unit, rid);

	vtd_trace(unit, VTD_TRACE_DROP, rid, READ_ONCE(entry[0]), error);
	entry = hide_entry(unit, rid, VTD_CTX_FPD);
	clear_entry(unit, rid, entry, VTD_CTX_FPD);
}

/**
 * takeover_lose_rid - the function that an adopted entry was for is gone
 * @unit: unit
 * @rid: its own requester id
 *
 * Whatever is plugged in there next is another one, and nobody allowed its DMA:
 * the entry is blocked, until a driver maps. One that firmware has reserved memory
 * for stays: to software the function may be gone, and to firmware not. Does not
 * sleep; the caller keeps others away from the unit's context tables.
 *
 * Return: was there such an entry?
 */
bool takeover_lose_rid(struct takeover_unit *unit, u16 rid)
{
	if (unit->state != TAKEOVER_INSTALLED ||
	    !test_bit(rid, unit->adopted) || takeover_is_spared(unit, rid))
		return false;
	takeover_evict_rid(unit, rid, -ENODEV);
	return true;
}

/*
 * Whether the device uses a TLB of its own is for the device to say: the entry
 * may have been damaged since.
 */
static void release_rid(struct takeover_unit *unit, struct device *dev, u16 rid)
{
	u64 *entry = hide_entry(unit, rid, 0);

	settle(unit, dev, rid);
	clear_entry(unit, rid, entry, 0);
}

struct release {
	struct takeover_unit	*unit;
	struct device		*dev;
	int			count;
};

/*
 * An entry that is not present is in no cache, but for those of a unit in
 * caching mode (6.1). What such a one knows the driver invalidates again when
 * it fills the entry; here it also marks the release in a trace. The device
 * itself may remember translations from before it was blocked, and they would
 * be good again with a present entry.
 */
static void release_blocked(struct takeover_unit *unit, struct device *dev,
			    u16 rid)
{
	vtd_inv_context(unit, 0, rid);
	settle(unit, dev, rid);
}

/*
 * The crashed kernel had no entry for the device when it died. It may have had
 * one before its tables were damaged, and the device remember what that said.
 */
static int forget_stray(struct takeover_unit *unit, struct device *dev, u16 rid)
{
	const u64 *entry = takeover_context_entry(unit, rid);

	if (!entry || !(READ_ONCE(entry[0]) & VTD_CTX_PRESENT))
		settle(unit, dev, rid);
	return 0;
}

static int release_one(u16 rid, void *data)
{
	struct release *release = data;
	int ret;

	/* An adopted entry is in a table of its bus's own. */
	if (test_bit(rid, release->unit->adopted)) {
		release_rid(release->unit, release->dev, rid);
	} else {
		ret = takeover_own_table(release->unit, rid);
		if (ret)
			return ret;
		if (!takeover_blocks_rid(release->unit, rid))
			return forget_stray(release->unit, release->dev, rid);
		release_blocked(release->unit, release->dev, rid);
	}
	vtd_trace(release->unit, VTD_TRACE_RELEASE, rid, 0, 0);
	release->count++;
	return 0;
}

/**
 * takeover_release_device - end the old mappings of a device
 * @unit: unit that translates for the device
 * @dev: device whose driver maps for the first time, or that is attached
 *
 * Afterwards every requester id of the device has an entry that is not present
 * and can be written, which the caller fills. After an error some have one, and
 * the others have what they had: the caller fills none, and may come again. The
 * caller keeps others away from the unit's context tables. Devices that share a
 * requester id, behind a PCIe-to-PCI bridge, share the moment at which it is
 * released.
 *
 * Return: requester ids released, 0 if there was nothing left to release; or
 * -EIO if the unit did not take our root table, or cannot be made to forget the
 * old one's entries, so that it would not see the new entry; or -ENOMEM.
 */
int takeover_release_device(struct takeover_unit *unit, struct device *dev)
{
	struct release release = { .unit = unit, .dev = dev };
	int ret;

	/* A unit not taken over has no entries of the crashed kernel's. */
	if (!unit->root)
		return 0;
	/* It would not see what is written. */
	if (unit->state == TAKEOVER_DEAD || READ_ONCE(unit->stale))
		return -EIO;

	ret = vtd_visit_rids(dev, release_one, &release);
	if (READ_ONCE(unit->stale))
		return -EIO;
	return ret ?: release.count;
}

/**
 * takeover_forget_entry - take a changed entry out of the caches
 * @unit: unit
 * @rid: requester id whose entry was present, and is still the takeover's
 *
 * For a change other than a release: device-TLBs keep what they have.
 */
void takeover_forget_entry(struct takeover_unit *unit, u16 rid)
{
	const u64 *entry = takeover_context_entry(unit, rid);

	forget_entry(unit, rid, FIELD_GET(VTD_CTX_DID, READ_ONCE(entry[1])));
}
