/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The kernel around both sides: what the takeover's side of the boundary
 * (env.c) and Linux's own functions (stock.c) call alike, so that the two
 * differ by their own code only.
 *
 * Structures have the members that are used, and no others. Nothing here is
 * true to what the kernel spends, but bitmaps (linux/bitops.h) and the queue of
 * invalidations, which is Linux's own on both sides (queue.c): a mapping costs
 * next to nothing and is counted apart.
 */
#ifndef BENCH_KERNEL_H
#define BENCH_KERNEL_H

#include <linux/bitops.h>
#include <linux/bits.h>
#include <linux/compiler.h>
#include <linux/errno.h>
#include <linux/gfp.h>
#include <linux/io.h>
#include <linux/types.h>

#define PAGE_SIZE	4096

/* Two words are copied in place, a table by the kernel's own memcpy(). */
#define memcpy(to, from, size)					\
	(__builtin_constant_p(size) && (size) <= 64 ?		\
		 (void)__builtin_memcpy(to, from, size) :	\
		 bench_copy(to, from, size))

typedef struct {
	unsigned int held;
} spinlock_t;

static inline void spin_lock(spinlock_t *lock)
{
	while (__atomic_exchange_n(&lock->held, 1, __ATOMIC_ACQUIRE))
		;
}

static inline void spin_unlock(spinlock_t *lock)
{
	__atomic_store_n(&lock->held, 0, __ATOMIC_RELEASE);
}

struct context_entry;
struct intel_iommu;
struct irte;
struct pasid_table;
struct q_inval;
struct root_entry;
struct takeover_unit;

struct ir_table {
	struct irte	*base;
	unsigned long	*bitmap;
};

struct iommu_flush {
	void (*flush_context)(struct intel_iommu *iommu, u16 did, u16 sid,
			      u8 mask, u64 type);
	void (*flush_iotlb)(struct intel_iommu *iommu, u16 did, u64 addr,
			    unsigned int order, u64 type);
};

struct intel_iommu {
	void			*reg;
	u64			cap;
	u64			ecap;
	u32			gcmd;
	int			agaw;
	int			node;
	const char		*name;
	spinlock_t		lock;
	spinlock_t		register_lock;
	unsigned long		*domain_ids;
	unsigned long		*copied_tables;
	struct root_entry	*root_entry;
	struct iommu_flush	flush;
	struct q_inval		*qi;
	struct ir_table		*ir_table;
	struct takeover_unit	*takeover;
};

struct device_domain_info {
	struct intel_iommu	*iommu;
	u8			bus;
	u8			devfn;
	u16			pfsid;
	u8			ats_supported;
	u8			ats_enabled;
	u8			ats_qdep;
	u8			pasid_supported;
	struct pasid_table	*pasid_table;
};

struct device {
	struct device_domain_info *info;
};

struct pci_dev {
	struct device	dev;
	u16		rid;
	u16		ats_cap;
};

/* Made before anything is counted. */
#define BENCH_DEVICES_MAX	4096

struct bench_device {
	struct pci_dev			pdev;
	struct device_domain_info	info;
};

void bench_make_devices(struct bench_device *devices, struct intel_iommu *iommu,
			unsigned int number);

static inline struct pci_dev *to_pci_dev(struct device *dev)
{
	return (struct pci_dev *)((char *)dev - offsetof(struct pci_dev, dev));
}

static inline bool dev_is_pci(const struct device *dev)
{
	return dev;
}

static inline struct device_domain_info *dev_iommu_priv_get(struct device *dev)
{
	return dev->info;
}

/* None of these devices has an alias. */
int pci_for_each_dma_alias(struct pci_dev *pdev,
			   int (*fn)(struct pci_dev *pdev, u16 alias, void *data),
			   void *data);

/* Registers: a page of memory, and a unit that does at once what it is told. */
static inline u32 readl(const void *reg)
{
	return READ_ONCE(*(const u32 *)reg);
}

static inline void writel(u32 value, void *reg)
{
	WRITE_ONCE(*(u32 *)reg, value);
}

static inline u64 readq(const void *reg)
{
	return READ_ONCE(*(const u64 *)reg);
}

static inline void writeq(u64 value, void *reg)
{
	WRITE_ONCE(*(u64 *)reg, value);
}

/* Memory: of the kdump kernel, given out zeroed; and what it reads of old. */
void *bench_pages(unsigned int number);
void bench_free(void *memory);
void *bench_map(phys_addr_t addr, size_t size);
void bench_unmap(void *window);
void bench_forget_memory(void);

static inline void bench_copy(void *to, const void *from, size_t size)
{
	unsigned long words = size / sizeof(u64);

	asm volatile("rep movsq" : "+D"(to), "+S"(from), "+c"(words) : : "memory");
}

static inline void bench_zero(void *memory, size_t size)
{
	unsigned long words = size / sizeof(u64);

	asm volatile("rep stosq" : "+D"(memory), "+c"(words) : "a"(0) : "memory");
}

/* Caches: the processor's, and the unit's by way of its queue. */
void clflush_cache_range(void *addr, unsigned int size);
void bench_start_queue(struct intel_iommu *iommu);
void qi_flush_context(struct intel_iommu *iommu, u16 did, u16 sid, u8 mask,
		      u64 type);
void qi_flush_iotlb(struct intel_iommu *iommu, u16 did, u64 addr,
		    unsigned int order, u64 type);
void qi_flush_pasid_cache(struct intel_iommu *iommu, u16 did, u64 granularity,
			  u32 pasid);

#endif /* BENCH_KERNEL_H */
