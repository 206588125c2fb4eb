// SPDX-License-Identifier: GPL-2.0-only
/*
 * The takeover's side: env.h as glue.c does it, on the kernel of kernel.h, and
 * the calls that glue.c makes for intel-iommu.
 *
 * What glue.c does once per unit before, that is, snapshot and map of the old
 * RAM, is not counted: stock has nothing like it, and it does not depend on
 * devices.
 */
#include <linux/printk.h>

#include "bench.h"
#include "env.h"
#include "kernel.h"
#include "unit.h"

/* What intel_iommu.c's DMA_CCMD_... and DMA_TLB_... stand for. */
#define GRANULARITY_GLOBAL	(1ULL << 61)
#define GRANULARITY_DOMAIN	(2ULL << 60)
#define GRANULARITY_DEVICE	(3ULL << 61)
#define GRANULARITY_IOTLB	(1ULL << 60)
#define GRANULARITY_PASIDS	3

#define IRT_PAGES		(VTD_IRTE_MAX * 2 * sizeof(u64) / VTD_TABLE_SIZE)
#define BITMAP_PAGES		(TAKEOVER_RIDS / 8 / VTD_TABLE_SIZE)

unsigned int bench_warnings;

struct glue_unit {
	struct takeover_unit	core;
	struct intel_iommu	*iommu;
};

static struct intel_iommu iommu;
static struct ir_table interrupts;
static struct glue_unit unit;
static struct takeover_pool pool = { .left = 2048 };
static struct bench_device devices[BENCH_DEVICES_MAX];
static u64 registers[VTD_TABLE_WORDS];

static struct intel_iommu *to_iommu(struct takeover_unit *core)
{
	return ((struct glue_unit *)core)->iommu;
}

/* Of messages none is printed; a good world gives no reason to warn. */
void shim_printk(const char *format, ...)
{
	if (format[0] != 'i')
		bench_warnings++;
}

void udelay(unsigned long us)
{
	(void)us;
}

void cond_resched(void)
{
}

/* env.h */

u32 vtd_read32(struct takeover_unit *core, unsigned int reg)
{
	return readl((u8 *)to_iommu(core)->reg + reg);
}

u64 vtd_read64(struct takeover_unit *core, unsigned int reg)
{
	return readq((u8 *)to_iommu(core)->reg + reg);
}

void vtd_write32(struct takeover_unit *core, unsigned int reg, u32 value)
{
	writel(value, (u8 *)to_iommu(core)->reg + reg);
}

void vtd_write64(struct takeover_unit *core, unsigned int reg, u64 value)
{
	writeq(value, (u8 *)to_iommu(core)->reg + reg);
}

unsigned long vtd_lock_registers(struct takeover_unit *core)
{
	spin_lock(&to_iommu(core)->register_lock);
	return 0;
}

void vtd_unlock_registers(struct takeover_unit *core, unsigned long flags)
{
	(void)flags;
	spin_unlock(&to_iommu(core)->register_lock);
}

void vtd_flush_lines(const void *addr, size_t size)
{
	clflush_cache_range((void *)addr, size);
}

/* This unit does not ask for it (CAP.RWBF). */
void vtd_flush_write_buffer(struct takeover_unit *core)
{
	if (!(to_iommu(core)->cap & BIT_ULL(4)))
		return;
	__builtin_trap();
}

void vtd_inv_context(struct takeover_unit *core, u16 did, u16 rid)
{
	struct intel_iommu *of = to_iommu(core);

	of->flush.flush_context(of, did, rid, 0, GRANULARITY_DEVICE);
}

void vtd_inv_context_all(struct takeover_unit *core)
{
	struct intel_iommu *of = to_iommu(core);

	of->flush.flush_context(of, 0, 0, 0, GRANULARITY_GLOBAL);
}

void vtd_inv_pasid_all(struct takeover_unit *core)
{
	qi_flush_pasid_cache(to_iommu(core), 0, GRANULARITY_PASIDS, 0);
}

void vtd_inv_iotlb_domain(struct takeover_unit *core, u16 did)
{
	struct intel_iommu *of = to_iommu(core);

	of->flush.flush_iotlb(of, did, 0, 0, GRANULARITY_DOMAIN);
}

void vtd_inv_iotlb_all(struct takeover_unit *core)
{
	struct intel_iommu *of = to_iommu(core);

	of->flush.flush_iotlb(of, 0, 0, 0, GRANULARITY_IOTLB);
}

/* No device here has ATS. */
int vtd_inv_devtlb(struct takeover_unit *core, struct device *dev, u16 rid, bool pasids)
{
	(void)core;
	(void)dev;
	(void)rid;
	(void)pasids;
	__builtin_trap();
}

/* Nor does any ask for pages. */
int vtd_submit(struct takeover_unit *core, u64 low, u64 high)
{
	(void)core;
	(void)low;
	(void)high;
	__builtin_trap();
}

unsigned int vtd_device_off(struct device *dev, u16 rid, unsigned int off)
{
	struct pci_dev *pdev;

	if (off)
		__builtin_trap();
	if (!dev_is_pci(dev))
		return 0;
	pdev = to_pci_dev(dev);
	if (pdev->rid != rid || !pdev->ats_cap)
		return 0;
	__builtin_trap();
}

void vtd_reserve_dids(struct takeover_unit *core, unsigned int first,
		      unsigned long dids)
{
	to_iommu(core)->domain_ids[first / BITS_PER_LONG] |= dids;
}

void vtd_free_did(struct takeover_unit *core, u16 did)
{
	clear_bit(did, to_iommu(core)->domain_ids);
}

int vtd_new_did(struct takeover_unit *core)
{
	(void)core;
	__builtin_trap();
}

void vtd_reserve_irte(struct takeover_unit *core, unsigned int index)
{
	set_bit(index, to_iommu(core)->ir_table->bitmap);
}

void *vtd_alloc_table(struct takeover_unit *core, gfp_t gfp)
{
	(void)core;
	(void)gfp;
	return bench_pages(1);
}

void vtd_free_table(void *table)
{
	bench_free(table);
}

int vtd_read_oldmem(void *dst, phys_addr_t src, size_t size)
{
	void *window = bench_map(src, size);

	if (!window)
		return -ENOMEM;
	bench_copy(dst, window, size);
	bench_unmap(window);
	return 0;
}

/* A mapping is given up when what was to be read is. */
const void *vtd_oldmem_ahead(phys_addr_t table)
{
	(void)table;
	return NULL;
}

/* There is a map of the old RAM. */
bool vtd_may_be_old_ram(phys_addr_t addr, size_t size)
{
	(void)addr;
	(void)size;
	__builtin_trap();
}

bool vtd_is_populated(u64 start, u64 size)
{
	(void)start;
	(void)size;
	__builtin_trap();
}

/* For the guard, which is counted apart. */
struct device *vtd_find_device(struct takeover_unit *unit, u16 rid)
{
	(void)unit;
	(void)rid;
	__builtin_trap();
}

void vtd_put_device(struct device *dev)
{
	(void)dev;
	__builtin_trap();
}

bool vtd_hidden_function_answers(struct takeover_unit *unit, u16 rid)
{
	(void)unit;
	(void)rid;
	__builtin_trap();
}

/* Nobody watches. */
void vtd_trace(struct takeover_unit *unit, enum vtd_trace_event event,
	       unsigned int what, u64 before, u64 now)
{
	(void)unit;
	(void)event;
	(void)what;
	(void)before;
	(void)now;
}

struct rid_walk {
	vtd_rid_fn	fn;
	void		*data;
};

static int visit_alias(struct pci_dev *pdev, u16 alias, void *data)
{
	struct rid_walk *walk = data;

	(void)pdev;
	return walk->fn(alias, walk->data);
}

int vtd_visit_rids(struct device *dev, vtd_rid_fn fn, void *data)
{
	struct rid_walk walk = { .fn = fn, .data = data };

	return pci_for_each_dma_alias(to_pci_dev(dev), visit_alias, &walk);
}

/* No firmware reserves memory. */
int vtd_visit_reserved(struct takeover_unit *core, vtd_reserved_fn fn, void *data)
{
	(void)core;
	(void)fn;
	(void)data;
	return 0;
}

/* glue.c for intel-iommu */

static void begin(const struct bench_unit *found)
{
	bench_forget_memory();
	unit = (struct glue_unit){ .iommu = &iommu };
	iommu = (struct intel_iommu){
		.reg = registers,
		.cap = bench_cap(),
		.ecap = bench_ecap(found),
		.domain_ids = bench_pages(vtd_domain_ids(bench_cap()) / 8 /
					  VTD_TABLE_SIZE),
		.root_entry = bench_pages(1),
		.flush = { qi_flush_context, qi_flush_iotlb },
		.ir_table = &interrupts,
		.takeover = &unit.core,
	};
	interrupts.base = bench_pages(IRT_PAGES);
	interrupts.bitmap = bench_pages(BITMAP_PAGES);

	registers[VTD_REG_GSTS / sizeof(u64)] =
		(VTD_GSTS_TES | VTD_GSTS_IRES | VTD_GSTS_RTPS) << 32;
	registers[VTD_REG_RTADDR / sizeof(u64)] = found->rtaddr;
	registers[VTD_REG_IRTA / sizeof(u64)] = found->irta;

	bench_start_queue(&iommu);
	bench_make_devices(devices, &iommu, found->devices);

	unit.core.name = "unit";
	unit.core.cap = iommu.cap;
	unit.core.ecap = iommu.ecap;
	unit.core.scalable = found->scalable;
	takeover_snapshot(&unit.core);
	takeover_oldmem_learn(found->elfcorehdr);
	/* Stock has no guard; guarded.c counts it. */
	takeover_forbid_nothing();
}

static int adopt(void)
{
	/* Probing a unit allocates these; stock allocates its one here. */
	unit.core.adopted = bench_pages(BITMAP_PAGES);
	unit.core.confined = bench_pages(BITMAP_PAGES);
	unit.core.silent = bench_pages(BITMAP_PAGES);
	unit.core.dids = bench_pages(BITMAP_PAGES);
	unit.core.pool = &pool;
	pool.live = bench_pages(BITMAP_PAGES);
	pool.shared = bench_pages(BITMAP_PAGES);

	takeover_adopt(&unit.core, (u64 *)iommu.root_entry, TAKEOVER_ADOPT);
	return takeover_install(&unit.core);
}

static int adopt_interrupts(void)
{
	return takeover_adopt_irtes(&unit.core, (u64 *)interrupts.base, true);
}

/* intel_takeover_release() */
static void release(unsigned int rid)
{
	struct device *dev = &devices[rid].pdev.dev;
	struct intel_iommu *of = dev_iommu_priv_get(dev)->iommu;

	spin_lock(&of->lock);
	if (takeover_release_device(of->takeover, dev) < 0)
		bench_warnings++;
	spin_unlock(&of->lock);
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
	return takeover_holds_rid(&unit.core, rid);
}

const struct bench_side bench_takeover = {
	.begin = begin,
	.adopt = adopt,
	.interrupts = adopt_interrupts,
	.release = release,
	.idle = bench_idle,
	.root = root,
	.interrupt_table = interrupt_table,
	.id_is_taken = id_is_taken,
	.index_is_taken = index_is_taken,
	.is_held = is_held,
};
