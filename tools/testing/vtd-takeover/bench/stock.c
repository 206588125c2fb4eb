// SPDX-License-Identifier: GPL-2.0-only
/*
 * Linux's side: its own functions, as scripts/stock.py takes them from a
 * pristine source into the build folder, on the kernel of kernel.h. Nothing of
 * Linux is in this file: what stands here is what these functions call, and
 * who calls them.
 */
#include "bench.h"
#include "kernel.h"

/* Their dialect. */
#define IOMMU_NO_PASID		0
#define PCI_BUS_NUM(rid)	((rid) >> 8 & 0xff)
#define PCI_DEVID(bus, devfn)	((u16)((bus) << 8 | (devfn)))
#define PCI_SLOT(devfn)		((devfn) >> 3 & 0x1f)
#define PCI_FUNC(devfn)		((devfn) & 7)
#define GENMASK(high, low)	GENMASK_ULL(high, low)
#define dma_wmb()		asm volatile("" : : : "memory")
#define assert_spin_locked(lock) ((void)(lock))
#define raw_spin_lock_irqsave(lock, flags) ((flags) = 0, spin_lock(lock))
#define raw_spin_unlock_irqrestore(lock, flags) ((void)(flags), spin_unlock(lock))
#define pr_debug(...)		((void)0)
#define pr_err(...)		(bench_warnings++)
#define pr_warn(...)		(bench_warnings++)
#define panic(...)		__builtin_trap()
#define cpu_relax()		asm volatile("pause")
#define DMAR_OPERATION_TIMEOUT	1000
#define CONFIG_64BIT
#define __iomem
#define __u64			u64
#define __u128			unsigned __int128

typedef u64 cycles_t;

static int intel_iommu_sm;
static const int rwbf_quirk;

struct pasid_table {
	void	*table;
	int	order;
	u32	max_pasid;
};

struct dma_pte;

struct dmar_domain {
	struct dma_pte	*pgd;
	int		agaw;
	u16		did;
	struct device_domain_info *info;
};

static inline cycles_t get_cycles(void)
{
	return 0;
}

void *memremap(phys_addr_t addr, size_t size, unsigned long flags)
{
	(void)flags;
	return bench_map(addr, size);
}

void memunmap(void *window)
{
	bench_unmap(window);
}

static inline void *iommu_alloc_page_node(int node, gfp_t gfp)
{
	(void)node;
	(void)gfp;
	return bench_pages(1);
}

static inline unsigned long *bitmap_zalloc(unsigned int bits, gfp_t gfp)
{
	(void)gfp;
	return bench_pages(bits / 8 / PAGE_SIZE);
}

static inline void *kcalloc(size_t number, size_t size, gfp_t gfp)
{
	(void)gfp;
	return bench_pages((number * size + PAGE_SIZE - 1) / PAGE_SIZE);
}

static inline void kfree(void *memory)
{
	bench_free(memory);
}

static inline void bitmap_set(unsigned long *map, unsigned int first,
			      unsigned int number)
{
	if (number != 1)
		__builtin_trap();
	__set_bit(first, map);
}

static inline unsigned long find_first_bit(const unsigned long *map,
					   unsigned long bits)
{
	unsigned long bit = *map ? (unsigned long)__builtin_ctzl(*map) : bits;

	return bit < bits ? bit : bits;
}

static inline struct device_domain_info *
domain_lookup_dev_info(struct dmar_domain *domain, struct intel_iommu *iommu,
		       u8 bus, u8 devfn)
{
	(void)iommu;
	(void)bus;
	(void)devfn;
	return domain->info;
}

static inline u16 domain_id_iommu(struct dmar_domain *domain,
				  struct intel_iommu *iommu)
{
	(void)iommu;
	return domain->did;
}

static inline bool pci_device_is_present(struct pci_dev *pdev)
{
	return pdev;
}

/* No device here has ATS. */
static inline void qi_flush_dev_iotlb(struct intel_iommu *iommu, u16 sid,
				      u16 pfsid, u16 qdep, u64 addr,
				      unsigned int order)
{
	(void)iommu, (void)sid, (void)pfsid, (void)qdep, (void)addr, (void)order;
	__builtin_trap();
}

static inline void qi_flush_dev_iotlb_pasid(struct intel_iommu *iommu, u16 sid,
					    u16 pfsid, u32 pasid, u16 qdep,
					    u64 addr, unsigned int order)
{
	(void)pasid;
	qi_flush_dev_iotlb(iommu, sid, pfsid, qdep, addr, order);
}

#include "stock-code.inc"

#define IRT_PAGES	(INTR_REMAP_TABLE_ENTRIES * sizeof(struct irte) / PAGE_SIZE)
#define BITMAP_PAGES	(65536 / 8 / PAGE_SIZE)

static struct intel_iommu iommu;
static struct ir_table interrupts;
static u64 registers[PAGE_SIZE / sizeof(u64)];
static struct dma_pte *new_page_table;
static struct pasid_table new_pasids;
static struct bench_device devices[BENCH_DEVICES_MAX];
static struct dmar_domain domains[BENCH_DEVICES_MAX];

/* init_dmars(), and what comes before it, up to the copying */
static void begin(const struct bench_unit *found)
{
	unsigned int i;

	bench_forget_memory();
	intel_iommu_sm = found->scalable;
	iommu = (struct intel_iommu){
		.reg = registers,
		.cap = bench_cap(),
		.ecap = bench_ecap(found),
		.agaw = 2,
		.domain_ids = bench_pages(cap_ndoms(bench_cap()) / 8 / PAGE_SIZE),
		.root_entry = bench_pages(1),
		.flush = { qi_flush_context, qi_flush_iotlb },
		.ir_table = &interrupts,
	};
	interrupts.base = bench_pages(IRT_PAGES);
	interrupts.bitmap = bench_pages(BITMAP_PAGES);
	new_page_table = bench_pages(1);
	new_pasids = (struct pasid_table){
		.table = bench_pages(1),
		.max_pasid = 1 << 15,
	};

	bench_start_queue(&iommu);
	bench_make_devices(devices, &iommu, found->devices);
	for (i = 0; i < found->devices; i++) {
		devices[i].info.pasid_table = &new_pasids;
		domains[i] = (struct dmar_domain){
			.pgd = new_page_table,
			.agaw = iommu.agaw,
			.did = 1,
			.info = &devices[i].info,
		};
	}

	registers[DMAR_GSTS_REG / sizeof(u64)] = (u64)DMA_GSTS_RTPS << 32;
	registers[DMAR_RTADDR_REG / sizeof(u64)] = found->rtaddr;
	registers[DMAR_IRTA_REG / sizeof(u64)] = found->irta;
}

/* The rest of init_dmars() */
static int adopt(void)
{
	int ret = copy_translation_tables(&iommu);

	if (ret)
		return ret;
	iommu_flush_write_buffer(&iommu);
	iommu_set_root_entry(&iommu);
	return 0;
}

static int adopt_interrupts(void)
{
	return iommu_load_old_irte(&iommu);
}

/* What attaching a device does to its context entry */
static void attach(unsigned int rid)
{
	struct device *dev = &devices[rid].pdev.dev;

	if (sm_supported(&iommu))
		intel_pasid_setup_sm_context(dev);
	else
		domain_context_mapping(&domains[rid], dev);
}

static const u64 *root(void)
{
	return (const u64 *)iommu.root_entry;
}

static const u64 *interrupt_table(void)
{
	return (const u64 *)interrupts.base;
}

static bool id_is_taken(unsigned int did)
{
	return test_bit(did, iommu.domain_ids);
}

static bool index_is_taken(unsigned int index)
{
	return test_bit(index, interrupts.bitmap);
}

static bool is_held(unsigned int rid)
{
	return test_bit(rid, iommu.copied_tables);
}

const struct bench_side bench_stock = {
	.begin = begin,
	.adopt = adopt,
	.interrupts = adopt_interrupts,
	.release = attach,
	.fill = attach,
	.idle = bench_idle,
	.root = root,
	.interrupt_table = interrupt_table,
	.id_is_taken = id_is_taken,
	.index_is_taken = index_is_taken,
	.is_held = is_held,
};
