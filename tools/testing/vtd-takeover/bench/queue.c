// SPDX-License-Identifier: GPL-2.0-only
/*
 * The queue of invalidations: Linux's own functions, on both sides, as
 * scripts/stock.py takes them from a pristine source into the build folder. An
 * invalidation is most of what it costs to release a device, so that a model
 * of it would decide what the two sides compare to.
 *
 * What is here is the unit, which has done what it was told as soon as the tail
 * moves. Its dozen instructions are counted, on both sides alike.
 */
#include <linux/bitfield.h>

#include "kernel.h"

/* Their dialect. */
#define QI_FREE			0
#define QI_IN_USE		1
#define QI_DONE			2
#define QI_ABORT		3
#define raw_spinlock_t		spinlock_t
#define raw_spin_lock(lock)	spin_lock(lock)
#define raw_spin_unlock(lock)	spin_unlock(lock)
#define raw_spin_lock_irqsave(lock, flags) ((flags) = 0, spin_lock(lock))
#define raw_spin_unlock_irqrestore(lock, flags) ((void)(flags), spin_unlock(lock))
#define cpu_relax()		asm volatile("pause")
#define pr_info(...)		((void)0)
#define ktime_get()		0
#define ktime_to_ns(time)	(time)
/* Without CONFIG_DMAR_PERF, and nobody traces. */
#define dmar_latency_enabled(iommu, what) false
#define dmar_latency_update(iommu, what, time) ((void)(time))
#define trace_qi_submit(...)	((void)0)
/* Nothing goes wrong. */
#define qi_dump_fault(iommu, fault) __builtin_trap()
#define device_rbtree_find(iommu, rid) ((struct device *)NULL)
#define pci_device_is_present(pdev) ((void)(pdev), true)

typedef long long s64;

static void write_register(u32 value, void *reg);
#define writel(value, reg)	write_register(value, reg)

#include "queue-code.inc"

#undef writel

static struct intel_iommu *queue_of;
static struct q_inval queue;
static u8 descriptors[PAGE_SIZE * 2] __aligned(PAGE_SIZE);
static int statuses[QI_LENGTH];

/* The descriptor before the tail waits for the others. */
static void write_register(u32 value, void *reg)
{
	unsigned int size = 1 << qi_shift(queue_of);
	const struct qi_desc *wait;

	WRITE_ONCE(*(u32 *)reg, value);
	wait = (void *)(descriptors + (value - size) % (size * QI_LENGTH));
	WRITE_ONCE(*(int *)phys_to_virt(wait->qw1), wait->qw0 >> 32);
}

void bench_start_queue(struct intel_iommu *iommu)
{
	unsigned int i;

	queue_of = iommu;
	queue = (struct q_inval){
		.desc = descriptors,
		.desc_status = statuses,
		.free_cnt = QI_LENGTH,
	};
	for (i = 0; i < QI_LENGTH; i++)
		statuses[i] = QI_FREE;
	iommu->qi = &queue;
}
