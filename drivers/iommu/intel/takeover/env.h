/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The boundary of the takeover's core: what it needs from its surroundings.
 *
 * In the kernel glue.c provides these functions, in userspace the test
 * harness does. The core calls nothing else that touches hardware or memory
 * that is not its own; it knows struct device only as a name.
 */
#ifndef VTD_TAKEOVER_ENV_H
#define VTD_TAKEOVER_ENV_H

#include <linux/gfp.h>
#include <linux/types.h>

struct device;
struct takeover_unit;

/* Registers, by the offsets of format.h. */
u32 vtd_read32(struct takeover_unit *unit, unsigned int reg);
u64 vtd_read64(struct takeover_unit *unit, unsigned int reg);
void vtd_write32(struct takeover_unit *unit, unsigned int reg, u32 value);
void vtd_write64(struct takeover_unit *unit, unsigned int reg, u64 value);

/* Excludes every other writer of the unit's command register. */
unsigned long vtd_lock_registers(struct takeover_unit *unit);
void vtd_unlock_registers(struct takeover_unit *unit, unsigned long flags);

/* Makes stores visible to a unit that does not snoop (6.2.1, 6.8). */
void vtd_flush_lines(const void *addr, size_t size);
void vtd_flush_write_buffer(struct takeover_unit *unit);

/* Invalidations (6.5). Each returns when the hardware has completed it. */
void vtd_inv_context(struct takeover_unit *unit, u16 did, u16 rid);
void vtd_inv_context_all(struct takeover_unit *unit);
void vtd_inv_pasid_all(struct takeover_unit *unit);
void vtd_inv_iotlb_domain(struct takeover_unit *unit, u16 did);
void vtd_inv_iotlb_all(struct takeover_unit *unit);

/*
 * The same of a device-TLB, or the hardware gave up on the device: then
 * takeover_gives_up_device() was asked. What it knows of requests without a
 * PASID is forgotten apart from what it knows of those with one. @dev is NULL for
 * a function that this kernel does not know of. Returns 0, or a negative errno
 * if there is no way to send the command.
 */
int vtd_inv_devtlb(struct takeover_unit *unit, struct device *dev, u16 rid,
		   bool pasids);

/* What software switches on in a function for its DMA. */
#define VTD_DEVICE_ATS		1u
#define VTD_DEVICE_PASID	2u
#define VTD_DEVICE_PRI		4u
#define VTD_DEVICE_HIDDEN	8u	/* nobody knows: they cannot be read */

/*
 * Switches @off off in the function whose own id @rid is, and returns what of
 * the crashed kernel's is on then. Nothing is, in a function that is gone, or
 * when the id is an alias of something else. PASIDs of a virtual function are
 * its physical function's: they are told of and stay. HIDDEN comes alone.
 */
unsigned int vtd_device_off(struct device *dev, u16 rid, unsigned int off);

/*
 * The function behind a unit whose own id @rid is, NULL if there is none; the
 * second ends its use. For a time at which drivers, and intel-iommu itself, have
 * not seen their devices yet.
 */
struct device *vtd_find_device(struct takeover_unit *unit, u16 rid);
void vtd_put_device(struct device *dev);

/*
 * Does a function with this id that the kernel does not know, behind this unit or
 * another, answer when its configuration is read?
 */
bool vtd_hidden_function_answers(struct takeover_unit *unit, u16 rid);

/*
 * Puts a descriptor of two words in the unit's invalidation queue (6.5.2).
 * Returns 0 when the hardware has completed it, or a negative errno.
 */
int vtd_submit(struct takeover_unit *unit, u64 low, u64 high);

/*
 * Domain ids. The first keeps some from being given to new domains: a word of a
 * bitmap over ids, and the id of its first bit. The second takes one that nobody
 * uses, or returns -ENOSPC or another negative errno; the third ends either.
 */
void vtd_reserve_dids(struct takeover_unit *unit, unsigned int first,
		      unsigned long dids);
int vtd_new_did(struct takeover_unit *unit);
void vtd_free_did(struct takeover_unit *unit, u16 did);

/* Keeps an entry of the unit's interrupt table from being given away. */
void vtd_reserve_irte(struct takeover_unit *unit, unsigned int index);

/* One zeroed table page; NULL when there is none. */
void *vtd_alloc_table(struct takeover_unit *unit, gfp_t gfp);
void vtd_free_table(void *table);

/*
 * Copies from memory of the crashed kernel, at most VTD_TABLE_SIZE bytes.
 * Survives poison. Returns 0, -EIO if it is poisoned, or another negative
 * errno; then @dst is undefined.
 */
int vtd_read_oldmem(void *dst, phys_addr_t src, size_t size);

/*
 * Where a table of the crashed kernel can be fetched ahead of its reading;
 * NULL if it cannot. It must not be read there: there may be poison.
 */
const void *vtd_oldmem_ahead(phys_addr_t table);

/*
 * The judgement on an address when no map of the old RAM is known: false for
 * whatever this kernel knows to be something else.
 */
bool vtd_may_be_old_ram(phys_addr_t addr, size_t size);

/*
 * Is there anything in this range of addresses that this kernel knows of: memory
 * that is not the crashed kernel's, registers, windows of buses?
 */
bool vtd_is_populated(u64 start, u64 size);

/*
 * Tells who watches. DROP: requester id, first word of its entry, and why (a
 * negative errno, or 0 for what cannot be adopted). CUT: level of a table (0: of
 * PASIDs), its word and what it is now. RELEASE: requester id.
 */
enum vtd_trace_event {
	VTD_TRACE_DROP,
	VTD_TRACE_CUT,
	VTD_TRACE_RELEASE,
};

void vtd_trace(struct takeover_unit *unit, enum vtd_trace_event event,
	       unsigned int what, u64 before, u64 now);

/*
 * Calls @fn for each requester id under which @dev may appear on the bus,
 * aliases included, until it returns non-zero; returns what @fn returned last.
 */
typedef int (*vtd_rid_fn)(u16 rid, void *data);
int vtd_visit_rids(struct device *dev, vtd_rid_fn fn, void *data);

/*
 * Calls @fn for each range of memory that firmware reserves for a device of
 * the unit (8.4, RMRR), once for each requester id of the device, until it
 * returns non-zero; @end is the last byte. Returns what @fn returned last.
 */
typedef int (*vtd_reserved_fn)(u16 rid, u64 start, u64 end, void *data);
int vtd_visit_reserved(struct takeover_unit *unit, vtd_reserved_fn fn,
		       void *data);

#endif /* VTD_TAKEOVER_ENV_H */
