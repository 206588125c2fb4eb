// SPDX-License-Identifier: GPL-2.0-only
/*
 * Between the takeover's core and the kernel that it lives in.
 *
 * The only file here that knows struct intel_iommu, PCI devices and what
 * differs from one kernel version to the next. It implements env.h for the
 * core and takeover.h for intel-iommu. It holds no policy and no loop over
 * table entries.
 */
#define pr_fmt(fmt) "DMAR: takeover: " fmt
#define dev_fmt(fmt) pr_fmt(fmt)

#include <linux/bitmap.h>
#include <linux/cache.h>
#include <linux/cacheflush.h>
#include <linux/crash_dump.h>
#include <linux/init.h>
#include <linux/io.h>
#include <linux/ioport.h>
#include <linux/iommu.h>
#include <linux/kernel.h>
#include <linux/math64.h>
#include <linux/nmi.h>
#include <linux/pci.h>
#include <linux/pci-ats.h>
#include <linux/processor.h>
#include <linux/slab.h>
#include <linux/timex.h>
#include <linux/workqueue.h>

#include <asm/desc.h>
#include <asm/e820/api.h>
#include <asm/iommu.h>
#include <asm/irq_vectors.h>

#include "../iommu.h"
#if TAKEOVER_KERNEL >= 61000
#include "../../iommu-pages.h"
#endif
#include "../pasid.h"
#include "env.h"
#include "kunit.h"
#include "takeover.h"
#include "unit.h"
#include "watch.h"

/* Between the fault that was one too many and what is done about it. */
#define QUIET_DELAY	msecs_to_jiffies(100)

/* Part of this kernel's memory that the guards of all units may take. */
#define GUARD_PART	32

struct glue_unit {
	struct takeover_unit	core;
	struct intel_iommu	*iommu;
	struct delayed_work	quiet;
};

static struct takeover_options takeover_options __ro_after_init;
static struct takeover_policy takeover_policy __ro_after_init;
static DECLARE_BITMAP(takeover_live, TAKEOVER_DIDS);
static DECLARE_BITMAP(takeover_shared, TAKEOVER_DIDS);
static struct takeover_pool takeover_pool = {
	.live = takeover_live,
	.shared = takeover_shared,
};

/* takeover_spare_did() is for one unit at a time. */
static DEFINE_SPINLOCK(takeover_spare_lock);

static struct intel_iommu *to_iommu(struct takeover_unit *unit)
{
	return container_of(unit, struct glue_unit, core)->iommu;
}

static int __init takeover_setup(char *arg)
{
	if (takeover_parse_options(arg, &takeover_options))
		pr_warn("intel_iommu_takeover=%s is not known; adopt, block and off are, and behind them ,reset ,noguard ,guard=strict ,quarantine=scratch ,quarantine=block\n",
			arg);
	return 1;
}
__setup("intel_iommu_takeover=", takeover_setup);

/* env.h: registers */

u32 vtd_read32(struct takeover_unit *unit, unsigned int reg)
{
	return readl(to_iommu(unit)->reg + reg);
}

u64 vtd_read64(struct takeover_unit *unit, unsigned int reg)
{
	return readq(to_iommu(unit)->reg + reg);
}

void vtd_write32(struct takeover_unit *unit, unsigned int reg, u32 value)
{
	writel(value, to_iommu(unit)->reg + reg);
}

void vtd_write64(struct takeover_unit *unit, unsigned int reg, u64 value)
{
	writeq(value, to_iommu(unit)->reg + reg);
}

unsigned long vtd_lock_registers(struct takeover_unit *unit)
	__acquires(&to_iommu(unit)->register_lock)
{
	unsigned long flags;

	raw_spin_lock_irqsave(&to_iommu(unit)->register_lock, flags);
	return flags;
}

void vtd_unlock_registers(struct takeover_unit *unit, unsigned long flags)
	__releases(&to_iommu(unit)->register_lock)
{
	raw_spin_unlock_irqrestore(&to_iommu(unit)->register_lock, flags);
}

/* env.h: caches */

void vtd_flush_lines(const void *addr, size_t size)
{
	clflush_cache_range((void *)addr, size);
}

void vtd_flush_write_buffer(struct takeover_unit *unit)
{
	iommu_flush_write_buffer(to_iommu(unit));
}

/*
 * Without a queue the driver uses registers, and does not tell whether the unit
 * did what it was told. The takeover does: a stale unit releases nothing.
 */
static bool is_done_by_registers(struct takeover_unit *unit, u64 command)
{
	if (to_iommu(unit)->qi)
		return false;
	takeover_do_without_queue(unit, command);
	return true;
}

void vtd_inv_context(struct takeover_unit *unit, u16 did, u16 rid)
{
	struct intel_iommu *iommu = to_iommu(unit);

	if (is_done_by_registers(unit, VTD_QI_CONTEXT))
		return;
	iommu->flush.flush_context(iommu, did, rid, DMA_CCMD_MASK_NOBIT,
				   DMA_CCMD_DEVICE_INVL);
}

void vtd_inv_context_all(struct takeover_unit *unit)
{
	struct intel_iommu *iommu = to_iommu(unit);

	if (is_done_by_registers(unit, VTD_QI_CONTEXT))
		return;
	iommu->flush.flush_context(iommu, 0, 0, 0, DMA_CCMD_GLOBAL_INVL);
}

void vtd_inv_pasid_all(struct takeover_unit *unit)
{
	if (is_done_by_registers(unit, VTD_QI_PASID_CACHE))
		return;
	qi_flush_pasid_cache(to_iommu(unit), 0, QI_PC_GLOBAL, 0);
}

void vtd_inv_iotlb_domain(struct takeover_unit *unit, u16 did)
{
	struct intel_iommu *iommu = to_iommu(unit);

	if (is_done_by_registers(unit, VTD_QI_IOTLB))
		return;
	iommu->flush.flush_iotlb(iommu, did, 0, 0, DMA_TLB_DSI_FLUSH);
}

void vtd_inv_iotlb_all(struct takeover_unit *unit)
{
	struct intel_iommu *iommu = to_iommu(unit);

	if (is_done_by_registers(unit, VTD_QI_IOTLB))
		return;
	iommu->flush.flush_iotlb(iommu, 0, 0, 0, DMA_TLB_GLOBAL_FLUSH);
}

/*
 * Not the driver's functions: it knows no command for all PASIDs, and looks
 * some of this up only when it attaches the device. One command at a time
 * fits into every device's queue. Registers know no such command.
 */
int vtd_inv_devtlb(struct takeover_unit *unit, struct device *dev, u16 rid,
		   bool pasids)
{
	struct intel_iommu *iommu = to_iommu(unit);
	u64 everything = GENMASK_ULL(62, VTD_PAGE_SHIFT);
	u64 qw0 = 0, qw1;
	u16 pfsid = rid;

	/* By it the unit counts commands, of which there is one. */
	if (dev)
		pfsid = pci_dev_id(pci_physfn(to_pci_dev(dev)));
	if (ecap_dit(iommu->ecap))
		qw0 = QI_DEV_IOTLB_PFSID(pfsid);
	if (pasids) {
		qw0 |= QI_DEIOTLB_TYPE | QI_DEV_EIOTLB_SID(rid);
		qw1 = everything | QI_DEV_EIOTLB_SIZE | VTD_QI_ALL_PASIDS;
	} else {
		qw0 |= QI_DIOTLB_TYPE | QI_DEV_IOTLB_SID(rid);
		qw1 = everything | QI_DEV_IOTLB_SIZE;
	}
	return vtd_submit(unit, qw0, qw1);
}

/* env.h: what is switched on in a function */

static const struct function_switch {
	unsigned int	what;
	u16		cap;
	u16		control;
	u16		enable;
} function_switches[] = {
	{ VTD_DEVICE_ATS, PCI_EXT_CAP_ID_ATS, PCI_ATS_CTRL,
	  PCI_ATS_CTRL_ENABLE },
	{ VTD_DEVICE_PASID, PCI_EXT_CAP_ID_PASID, PCI_PASID_CTRL,
	  PCI_PASID_CTRL_ENABLE },
	{ VTD_DEVICE_PRI, PCI_EXT_CAP_ID_PRI, PCI_PRI_CTRL,
	  PCI_PRI_CTRL_ENABLE },
};

static bool is_switched_by_us(const struct pci_dev *pdev, unsigned int what)
{
	switch (what) {
	case VTD_DEVICE_ATS:
		return pdev->ats_enabled;
	case VTD_DEVICE_PASID:
		return pdev->pasid_enabled;
	default:
		return pdev->pri_enabled;
	}
}

/*
 * Asked of the function itself: the crashed kernel set it, and what this kernel
 * keeps in struct pci_dev knows nothing of that, nor of the capability if it
 * was told pci=noats.
 */
static bool is_left_on(struct pci_dev *pdev, const struct function_switch *of,
		       bool off)
{
	int cap = pci_find_ext_capability(pdev, of->cap);
	u16 control = 0;

	if (!cap || is_switched_by_us(pdev, of->what))
		return false;

	pci_read_config_word(pdev, cap + of->control, &control);
	if (!(control & of->enable))
		return false;
	if (!off)
		return true;
	pci_write_config_word(pdev, cap + of->control, control & ~of->enable);
	return false;
}

unsigned int vtd_device_off(struct device *dev, u16 rid, unsigned int off)
{
	struct pci_dev *pdev, *owner;
	unsigned int i, on = 0;

	if (!dev_is_pci(dev))
		return 0;
	pdev = to_pci_dev(dev);
	if (pci_dev_id(pdev) != rid || !pci_device_is_present(pdev))
		return 0;
	if (pci_is_pcie(pdev) && pdev->cfg_size <= PCI_CFG_SPACE_SIZE)
		return VTD_DEVICE_HIDDEN;

	for (i = 0; i < ARRAY_SIZE(function_switches); i++) {
		const struct function_switch *of = &function_switches[i];

		owner = of->what == VTD_DEVICE_PASID ? pci_physfn(pdev) : pdev;
		if (is_left_on(owner, of, owner == pdev && off & of->what))
			on |= of->what;
	}
	return on;
}

struct device *vtd_find_device(struct takeover_unit *unit, u16 rid)
{
	struct intel_iommu *iommu = to_iommu(unit);
	struct dmar_drhd_unit *drhd;
	struct pci_dev *pdev;

	pdev = pci_get_domain_bus_and_slot(iommu->segment, VTD_RID_BUS(rid),
					   rid & 0xff);
	if (!pdev)
		return NULL;
	drhd = dmar_find_matched_drhd_unit(pdev);
	if (drhd && drhd->iommu == iommu)
		return &pdev->dev;
	pci_dev_put(pdev);
	return NULL;
}

void vtd_put_device(struct device *dev)
{
	pci_dev_put(to_pci_dev(dev));
}

/*
 * One that this kernel knows is behind another unit, whose device-TLB it uses,
 * if any. A virtual function has no vendor id of its own there, but a class
 * (SR-IOV 3.4.1).
 */
bool vtd_hidden_function_answers(struct takeover_unit *unit, u16 rid)
{
	int segment = to_iommu(unit)->segment, bus = VTD_RID_BUS(rid);
	struct pci_dev *pdev;
	u32 class;

	pdev = pci_get_domain_bus_and_slot(segment, bus, rid & 0xff);
	pci_dev_put(pdev);
	if (pdev)
		return false;
	/* Who cannot be asked may be there: pci=nommconf, another segment. */
	return raw_pci_read(segment, bus, rid & 0xff, PCI_CLASS_REVISION,
			    sizeof(class), &class) ||
	       !PCI_POSSIBLE_ERROR(class);
}

/* Without a queue the driver invalidates by registers, which cannot answer. */
int vtd_submit(struct takeover_unit *unit, u64 low, u64 high)
{
	struct intel_iommu *iommu = to_iommu(unit);
	struct qi_desc desc = { .qw0 = low, .qw1 = high };

	if (!iommu->qi)
		return -ENODEV;
	return qi_submit_sync(iommu, &desc, 1, 0);
}

/* env.h: ids, indices and memory */

static_assert(TAKEOVER_DID_OF_DRIVER == FLPT_DEFAULT_DID);

#if TAKEOVER_KERNEL >= 61600
void vtd_reserve_dids(struct takeover_unit *unit, unsigned int first,
		      unsigned long dids)
{
	struct ida *ida = &to_iommu(unit)->domain_ida;
	unsigned int i;

	for_each_set_bit(i, &dids, BITS_PER_LONG)
		ida_alloc_range(ida, first + i, first + i,
				GFP_KERNEL | __GFP_NOFAIL);
}

int vtd_new_did(struct takeover_unit *unit)
{
	struct intel_iommu *iommu = to_iommu(unit);

	return ida_alloc_range(&iommu->domain_ida, IDA_START_DID,
			       cap_ndoms(iommu->cap) - 1, GFP_ATOMIC);
}

void vtd_free_did(struct takeover_unit *unit, u16 did)
{
	ida_free(&to_iommu(unit)->domain_ida, did);
}
#else
void vtd_reserve_dids(struct takeover_unit *unit, unsigned int first,
		      unsigned long dids)
{
	to_iommu(unit)->domain_ids[BIT_WORD(first)] |= dids;
}

int vtd_new_did(struct takeover_unit *unit)
{
	struct intel_iommu *iommu = to_iommu(unit);
	unsigned long did;

	did = find_first_zero_bit(iommu->domain_ids, cap_ndoms(iommu->cap));
	if (did >= cap_ndoms(iommu->cap))
		return -ENOSPC;
	set_bit(did, iommu->domain_ids);
	return did;
}

void vtd_free_did(struct takeover_unit *unit, u16 did)
{
	clear_bit(did, to_iommu(unit)->domain_ids);
}
#endif

#ifdef CONFIG_IRQ_REMAP
void vtd_reserve_irte(struct takeover_unit *unit, unsigned int index)
{
	set_bit(index, to_iommu(unit)->ir_table->bitmap);
}
#endif

/* The driver may free them: they come from where its own tables come from. */
#if TAKEOVER_KERNEL >= 61600
void *vtd_alloc_table(struct takeover_unit *unit, gfp_t gfp)
{
	return iommu_alloc_pages_node_sz(to_iommu(unit)->node, gfp, SZ_4K);
}

void vtd_free_table(void *table)
{
	iommu_free_pages(table);
}
#elif TAKEOVER_KERNEL >= 61000
void *vtd_alloc_table(struct takeover_unit *unit, gfp_t gfp)
{
	return iommu_alloc_page_node(to_iommu(unit)->node, gfp);
}

void vtd_free_table(void *table)
{
	iommu_free_page(table);
}
#else
void *vtd_alloc_table(struct takeover_unit *unit, gfp_t gfp)
{
	struct page *page = alloc_pages_node(to_iommu(unit)->node,
					     gfp | __GFP_ZERO, 0);

	return page ? page_address(page) : NULL;
}

void vtd_free_table(void *table)
{
	free_page((unsigned long)table);
}
#endif

bool vtd_may_be_old_ram(phys_addr_t addr, size_t size)
{
	if ((addr + size - 1) >> boot_cpu_data.x86_phys_bits)
		return false;
	return region_intersects(addr, size, 0, IORES_DESC_NONE) ==
	       REGION_DISJOINT;
}

/* By then the windows of PCI host bridges are among the resources. */
bool vtd_is_populated(u64 start, u64 size)
{
	return region_intersects(start, size, IORESOURCE_MEM,
				 IORES_DESC_NONE) != REGION_DISJOINT;
}

/* env.h: requester ids */

struct rid_walk {
	vtd_rid_fn	fn;
	void		*data;
};

static int visit_alias(struct pci_dev *pdev, u16 alias, void *data)
{
	struct rid_walk *walk = data;

	return walk->fn(alias, walk->data);
}

/* For a device behind VMD this starts at the VMD endpoint, as its DMA does. */
int vtd_visit_rids(struct device *dev, vtd_rid_fn fn, void *data)
{
	struct rid_walk walk = { .fn = fn, .data = data };
	struct device_domain_info *info;

	if (dev_is_pci(dev))
		return pci_for_each_dma_alias(to_pci_dev(dev), visit_alias,
					      &walk);

	info = dev_iommu_priv_get(dev);
	return fn(PCI_DEVID(info->bus, info->devfn), data);
}

/* env.h: reserved memory */

struct reserved_walk {
	vtd_reserved_fn		fn;
	void			*data;
	struct iommu_resv_region *region;
};

static int visit_reserved_alias(struct pci_dev *pdev, u16 alias, void *data)
{
	struct reserved_walk *walk = data;
	struct iommu_resv_region *region = walk->region;

	return walk->fn(alias, region->start,
			region->start + region->length - 1, walk->data);
}

/* The driver's ranges for ISA bridges are made up for floppies: no RMRRs. */
static bool is_rmrr(struct pci_dev *pdev,
		    const struct iommu_resv_region *region)
{
	switch (region->type) {
	case IOMMU_RESV_DIRECT:
		return true;
	case IOMMU_RESV_DIRECT_RELAXABLE:
		return pdev->class >> 8 != PCI_CLASS_BRIDGE_ISA;
	default:
		return false;
	}
}

static int visit_reserved_of(struct pci_dev *pdev, struct reserved_walk *walk)
{
	struct iommu_resv_region *next;
	LIST_HEAD(regions);
	int ret = 0;

	intel_iommu_ops.get_resv_regions(&pdev->dev, &regions);
	list_for_each_entry_safe(walk->region, next, &regions, list) {
		if (!ret && is_rmrr(pdev, walk->region))
			ret = pci_for_each_dma_alias(pdev, visit_reserved_alias,
						     walk);
		kfree(walk->region);
	}
	return ret;
}

/* The driver has not probed its devices yet when this is called. */
int vtd_visit_reserved(struct takeover_unit *unit, vtd_reserved_fn fn,
		       void *data)
{
	struct reserved_walk walk = { .fn = fn, .data = data };
	struct dmar_drhd_unit *drhd;
	struct pci_dev *pdev = NULL;
	int ret = 0;

	for_each_pci_dev(pdev) {
		drhd = dmar_find_matched_drhd_unit(pdev);
		if (!drhd || drhd->iommu != to_iommu(unit))
			continue;
		ret = visit_reserved_of(pdev, &walk);
		if (ret) {
			pci_dev_put(pdev);
			break;
		}
	}
	return ret;
}

/* takeover.h: from detection to installation */

#if TAKEOVER_KERNEL >= 70300
static bool __init driver_is_off(void)
{
	return no_iommu || dmar_policy_off();
}

static void __init switch_driver_on(void)
{
	no_iommu = 0;
	dmar_policy = DMAR_ON;
}
#else
static bool __init driver_is_off(void)
{
	return no_iommu || dmar_disabled;
}

static void __init switch_driver_on(void)
{
	no_iommu = 0;
	dmar_disabled = 0;
}
#endif

/*
 * What this kernel's memory map calls its own. The crashed kernel's RAM is not
 * in it; nor is what was kept for the dump, which takeover_oldmem_learn() adds.
 */
static void __init learn_shield(void)
{
	unsigned int i;

	takeover_forbid_nothing();
	for (i = 0; i < e820_table->nr_entries; i++) {
		const struct e820_entry *entry = &e820_table->entries[i];
		bool ours = entry->type == E820_TYPE_RAM;

#if TAKEOVER_KERNEL < 70000
		ours |= entry->type == E820_TYPE_RESERVED_KERN;
#endif
		if (ours)
			takeover_forbid(entry->addr, entry->addr + entry->size);
	}
	/* Firmware's, and the first thing that a stray write gets to. */
	takeover_forbid(0, PAGE_SIZE);
}

/**
 * intel_takeover_detect - look at a unit before any decision is made
 * @regs: its registers, mapped early
 *
 * In a kdump kernel that finds translation on, the driver has to run and has
 * to use the mode that it finds, whatever the command line says. Interrupt
 * remapping that is found on alone asks nothing of the driver of translation;
 * its table is adopted also when translation is not.
 */
void __init intel_takeover_detect(void __iomem *regs)
{
	struct takeover_policy policy = takeover_policy;
	int ret;

	if (!is_kdump_kernel())
		return;

	takeover_judge_unit(&policy, readq(regs + DMAR_CAP_REG),
			    readq(regs + DMAR_ECAP_REG),
			    readl(regs + DMAR_GSTS_REG),
			    readq(regs + DMAR_RTADDR_REG));
	if (policy.found && takeover_options.mode == TAKEOVER_OFF) {
		pr_warn_once("intel_iommu_takeover=off: translation of the crashed kernel will be switched off\n");
		policy.found = false;
	}
	if (!policy.found && !policy.remaps)
		return;

	if (!takeover_policy.found && !takeover_policy.remaps) {
		learn_shield();
		ret = takeover_oldmem_learn(elfcorehdr_addr);
		if (ret)
			pr_warn("no map of the old RAM in the ELF core header at %#llx (%d)\n",
				elfcorehdr_addr, ret);
		takeover_pool.left = takeover_forbidden_pages() / GUARD_PART;
	}
	if (policy.found && !takeover_policy.found) {
		pr_info("mode %s: the crashed kernel left translation on\n",
			takeover_options.mode == TAKEOVER_BLOCK ? "block" : "adopt");
		if (!takeover_options.noguard)
			takeover_tell_forbidden();
	}
	takeover_policy = policy;
	if (!policy.found)
		return;

	if (driver_is_off())
		pr_warn("the IOMMU driver runs although it is off by default or by the command line: DMA is in flight through it. intel_iommu_takeover=off switches translation off\n");

	switch_driver_on();
	intel_iommu_sm = policy.scalable;
}

static bool alloc_bitmaps(struct takeover_unit *unit)
{
	unit->adopted = bitmap_zalloc(TAKEOVER_RIDS, TAKEOVER_GFP);
	unit->confined = bitmap_zalloc(TAKEOVER_RIDS, TAKEOVER_GFP);
	unit->silent = bitmap_zalloc(TAKEOVER_RIDS, TAKEOVER_GFP);
	unit->dids = bitmap_zalloc(TAKEOVER_DIDS, TAKEOVER_GFP);
	return unit->adopted && unit->confined && unit->silent && unit->dids;
}

static void free_unit(struct glue_unit *unit)
{
	unsigned int i;

	for (i = 0; i < TAKEOVER_COPY_PAGES && unit->core.copies[i]; i++)
		vtd_free_table(unit->core.copies[i]);
	for (i = 0; i < TAKEOVER_TAG_PAGES && unit->core.tags[i]; i++)
		vtd_free_table(unit->core.tags[i]);
	bitmap_free(unit->core.dids);
	bitmap_free(unit->core.silent);
	bitmap_free(unit->core.confined);
	bitmap_free(unit->core.adopted);
	kfree(unit);
}

/*
 * The driver initialises its lock before it adopts. The handler is called for
 * what it left in the records, of which there is no further interrupt; should
 * it go deaf again, it schedules this again.
 */
static void quiet_unit(struct work_struct *work)
{
	struct glue_unit *unit = container_of(to_delayed_work(work),
					      struct glue_unit, quiet);

	if (unit->core.state == TAKEOVER_INSTALLED) {
		spin_lock(&unit->iommu->lock);
		takeover_quiet(&unit->core);
		spin_unlock(&unit->iommu->lock);
	}

	takeover_hear_again(&unit->core);
	dmar_fault(-1, unit->iommu);
}

static_assert(VTD_VECTORS == NR_VECTORS);

/*
 * The vectors to which the IDT, complete since init_IRQ(), gives a handler of
 * their own, which takes the interrupt for what only this kernel itself or its
 * processors send: REBOOT_VECTOR stops one for good. Some handlers find
 * nothing to do and leave it at that. Devices of a healthy crashed kernel have
 * these vectors: posted interrupts of its virtual machines or of its own, and
 * the first interrupt of each processor where Linux has no cleanup vector.
 */
static void find_fatal_vectors(unsigned long *fatal)
{
	bitmap_copy(fatal, system_vectors, NR_VECTORS);
	__clear_bit(POSTED_INTR_VECTOR, fatal);
	__clear_bit(POSTED_INTR_WAKEUP_VECTOR, fatal);
	__clear_bit(POSTED_INTR_NESTED_VECTOR, fatal);
#if TAKEOVER_KERNEL >= 61000
	__clear_bit(POSTED_MSI_NOTIFICATION_VECTOR, fatal);
#endif
#if TAKEOVER_KERNEL < 60600
	__clear_bit(IRQ_MOVE_CLEANUP_VECTOR, fatal);
#endif
}

/**
 * intel_takeover_probe_unit - begin the takeover of a unit
 * @iommu: unit with its registers mapped
 *
 * Without memory the unit is not taken over: the driver gives it empty tables,
 * with translation on, and takes its devices as those of any unit.
 */
void intel_takeover_probe_unit(struct intel_iommu *iommu)
{
	struct glue_unit *unit;

	if (!takeover_policy.found && !takeover_policy.remaps)
		return;

#if TAKEOVER_KERNEL >= 70000
	unit = kzalloc_obj(*unit, TAKEOVER_GFP);
#else
	unit = kzalloc(sizeof(*unit), TAKEOVER_GFP);
#endif
	if (unit) {
		unit->iommu = iommu;
		INIT_DELAYED_WORK(&unit->quiet, quiet_unit);
	}
	if (!unit || !alloc_bitmaps(&unit->core)) {
		pr_err("%s: not taken over (%d): no DMA in flight of its devices arrives\n",
		       iommu->name, -ENOMEM);
		if (unit)
			free_unit(unit);
		return;
	}
	unit->core.name = iommu->name;
	unit->core.cap = iommu->cap;
	unit->core.ecap = iommu->ecap;
	find_fatal_vectors(unit->core.fatal_vectors);
	unit->core.unguarded = takeover_options.noguard;
	unit->core.quarantine = takeover_options.quarantine;
	unit->core.address_bits = boot_cpu_data.x86_phys_bits;
	unit->core.strict = takeover_options.strict;
	unit->core.pool = &takeover_pool;
	takeover_snapshot(&unit->core);
	iommu->takeover = &unit->core;
}

/**
 * takeover_visit_units - look at each unit that was probed
 * @fn: function to call
 * @data: what to give it
 */
void takeover_visit_units(takeover_unit_fn fn, void *data)
{
	struct dmar_drhd_unit *drhd;
	struct intel_iommu *iommu;

	down_read(&dmar_global_lock);
	for_each_iommu(iommu, drhd)
		if (iommu && iommu->takeover)
			fn(iommu->takeover, data);
	up_read(&dmar_global_lock);
}

/**
 * intel_takeover_free_unit - forget a unit that is going away
 * @iommu: unit, its fault interrupt gone and its registers still mapped
 */
void intel_takeover_free_unit(struct intel_iommu *iommu)
{
	struct glue_unit *unit;

	if (!iommu->takeover)
		return;

	unit = container_of(iommu->takeover, struct glue_unit, core);
	cancel_delayed_work_sync(&unit->quiet);
	free_unit(unit);
	iommu->takeover = NULL;
}

/**
 * intel_takeover_active - was this unit found translating, to be taken over?
 * @iommu: unit
 */
bool intel_takeover_active(struct intel_iommu *iommu)
{
	return takeover_policy.found && iommu->takeover &&
	       iommu->takeover->state != TAKEOVER_IDLE;
}

/**
 * intel_takeover_adopt - fill a unit's empty root table from the old tables
 * @iommu: unit with domain ids and root table allocated
 */
void intel_takeover_adopt(struct intel_iommu *iommu)
{
	if (!iommu->takeover)
		return;

	/* For what is done without a queue, also on units with nothing to adopt. */
	iommu->takeover->scalable = sm_supported(iommu);
	if (!intel_takeover_active(iommu))
		return;

	takeover_adopt(iommu->takeover, (u64 *)iommu->root_entry,
		       takeover_options.mode);
	takeover_close_windows();
}

/**
 * intel_takeover_install - install the root table of a unit taken over
 * @iommu: unit
 *
 * Return: false if there is nothing to take over and the driver has to do it.
 */
bool intel_takeover_install(struct intel_iommu *iommu)
{
	if (!intel_takeover_active(iommu))
		return false;

	takeover_install(iommu->takeover);
	takeover_trace_adopted(iommu->takeover);
	return true;
}

/**
 * intel_takeover_switch_prq - begin to use the driver's page-request queue
 * @iommu: unit whose invalidation queue runs
 * @pqa: address and size of its page-request queue, as in PQA_REG
 *
 * Called while the interrupt of the queue is masked. What the crashed kernel's
 * queue holds is answered.
 *
 * Return: false if there is nothing to take over and the driver has to do it.
 */
bool intel_takeover_switch_prq(struct intel_iommu *iommu, u64 pqa)
{
	if (!intel_takeover_active(iommu))
		return false;

	takeover_switch_pages(iommu->takeover, pqa);
	takeover_close_windows();
	return true;
}

/**
 * intel_takeover_keeps_on - must translation stay on, and live tables stay?
 *
 * From the first look at the units until the machine goes down, for every
 * unit: whatever went wrong, DMA of the crashed kernel may be in flight.
 * Going down does not include going to sleep.
 */
bool intel_takeover_keeps_on(void)
{
	switch (system_state) {
	case SYSTEM_HALT:
	case SYSTEM_POWER_OFF:
	case SYSTEM_RESTART:
		return false;
	default:
		return takeover_policy.found;
	}
}

/**
 * intel_takeover_lets_go - may translation go off after all?
 *
 * The last resort of a driver that cannot run, for want of memory or because
 * of what firmware says. Device drivers then work as if there were no IOMMU,
 * and none of their DMA arrives as long as units translate. To let everything
 * through with translation on would expose no less memory, and takes tables and
 * commands in units of which the driver could not make use. The dump comes
 * first, as on a kernel that has nothing of this.
 *
 * Return: true if the caller has to switch it off.
 */
bool __init intel_takeover_lets_go(void)
{
	if (!takeover_policy.found)
		return false;
	pr_err("the IOMMU driver cannot run: translation is switched off, DMA in flight may reach any memory\n");
	takeover_policy.found = false;
	return true;
}

/**
 * intel_takeover_does_without - go on although a unit gets no interrupt?
 * @iommu: unit
 * @error: why there is none for its faults, or its page requests
 *
 * That ends the driver, but nobody needs either to save a dump, and without
 * the driver no DMA of this kernel's arrives.
 */
bool intel_takeover_does_without(struct intel_iommu *iommu, int error)
{
	if (!intel_takeover_keeps_on())
		return false;
	pr_warn("%s: goes on without this interrupt (%d)\n", iommu->name,
		error);
	return true;
}

/**
 * intel_takeover_does_without_pages - go on although nobody can answer page requests?
 * @iommu: unit
 * @error: why
 *
 * The unit then counts as one that knows no page requests (11.4.3, PRS), so that
 * the driver switches them on in no device. Return: true if it is to go on.
 */
bool intel_takeover_does_without_pages(struct intel_iommu *iommu, int error)
{
	if (!intel_takeover_does_without(iommu, error))
		return false;
	iommu->ecap &= ~VTD_ECAP_PRS;
	return true;
}

/* takeover.h: interrupts, and waiting for the hardware */

#ifdef CONFIG_IRQ_REMAP
/**
 * intel_takeover_adopt_irtes - fill a unit's interrupt table from the old one
 * @iommu: unit that was found remapping, with its empty table allocated
 * @eim: its table will be in x2APIC mode
 *
 * A unit that is plugged in when the kernel has booted holds nothing of the
 * crashed kernel, and what reads old memory is gone by then.
 *
 * Return: 0, or an errno with the table's interrupts blocked.
 */
int __ref intel_takeover_adopt_irtes(struct intel_iommu *iommu, bool eim)
{
	int ret;

	if (!iommu->takeover || system_state >= SYSTEM_FREEING_INITMEM)
		return -ENODEV;
	ret = takeover_adopt_irtes(iommu->takeover,
				   (u64 *)iommu->ir_table->base, eim);
	takeover_close_windows();
	return ret;
}
#endif

/**
 * intel_takeover_keeps_remapping - set interrupt remapping up when told not to?
 *
 * Hardware that remaps blocks interrupts in compatibility format. Those of
 * this kernel would not arrive if it did not remap as well.
 */
bool __init intel_takeover_keeps_remapping(void)
{
	if (!takeover_policy.remaps || takeover_options.mode == TAKEOVER_OFF)
		return false;
	pr_warn("interrupts are remapped although the command line says otherwise: the crashed kernel left remapping on, which blocks all others. intel_iommu_takeover=off leaves them blocked\n");
	return true;
}

/**
 * intel_takeover_stop_queue - switch the old invalidation queue off
 * @iommu: unit
 *
 * Return: false if that is the driver's to do.
 */
bool intel_takeover_stop_queue(struct intel_iommu *iommu)
{
	if (!iommu->takeover)
		return false;

	takeover_stop_queue(iommu->takeover);
	iommu->gcmd &= ~DMA_GCMD_QIE;
	return true;
}

/**
 * intel_takeover_gives_up - has the driver waited long enough for a unit?
 * @iommu: unit
 * @since: when it began to wait
 *
 * A kdump kernel that panics saves no dump. It goes on without what a broken
 * unit did not do, and begins early: there may be many such waits.
 */
bool intel_takeover_gives_up(struct intel_iommu *iommu, u64 since)
{
	if (!takeover_policy.found && !takeover_policy.remaps &&
	    !is_kdump_kernel())
		return false;
	if (get_cycles() - since < DMAR_OPERATION_TIMEOUT / 10)
		return false;
	pr_err("%s: no answer from the hardware, going on without\n",
	       iommu->name);
	return true;
}

/**
 * intel_takeover_lost_queue - is the invalidation queue of a unit not to be used?
 * @iommu: unit
 */
bool intel_takeover_lost_queue(struct intel_iommu *iommu)
{
	return iommu->takeover && READ_ONCE(iommu->takeover->queue_lost);
}

/**
 * intel_takeover_lacks_queue - are commands to be done without a queue?
 * @iommu: unit
 *
 * From 6.10 on the driver gives commands to a queue if the unit is capable of
 * one, whether there was memory for it or not; they would be lost.
 */
bool intel_takeover_lacks_queue(struct intel_iommu *iommu)
{
	return iommu->takeover &&
	       (!iommu->qi || intel_takeover_lost_queue(iommu));
}

/**
 * intel_takeover_await - wait on for commands in the invalidation queue?
 * @iommu: unit, its queue locked
 * @rc: what the driver has found out about the commands; 0: nothing
 * @desc: the commands
 * @count: their number
 * @since: when they were given, in cycles
 *
 * Return: @rc, or -EIO if the queue is not used any more.
 */
int intel_takeover_await(struct intel_iommu *iommu, int rc,
			 const struct qi_desc *desc, unsigned int count,
			 u64 since)
{
	unsigned int i;
	u64 ms;

	if (!iommu->takeover || (rc && rc != -EAGAIN && rc != -ETIMEDOUT))
		return rc;
	for (i = 0; i < count; i++)
		takeover_note_command(iommu->takeover, desc[i].qw0);
	/* A device may take longer to answer than the watchdog waits. */
	touch_nmi_watchdog();
	ms = tsc_khz ? div_u64(get_cycles() - since, tsc_khz) : 0;
	if (!takeover_gives_up_queue(iommu->takeover, ms))
		return rc;
	iommu->gcmd &= ~DMA_GCMD_QIE;
	return -EIO;
}

/**
 * intel_takeover_do_without - do commands for a queue that is lost or never was
 * @iommu: unit
 * @desc: the commands
 * @count: their number
 *
 * Return: 0, or a negative errno if some of them cannot be done.
 */
int intel_takeover_do_without(struct intel_iommu *iommu,
			      const struct qi_desc *desc, unsigned int count)
{
	unsigned int i;
	int error, ret = 0;

	for (i = 0; i < count; i++) {
		error = takeover_do_without_queue(iommu->takeover, desc[i].qw0);
		if (error)
			ret = error;
	}
	return ret;
}

/**
 * intel_takeover_leaves_fault - does the fault handler leave a record for later?
 * @iommu: unit, its register lock held
 * @reg: offset of the record
 *
 * Called for each record that is in use, in interrupt context. Early in boot
 * the work has to wait until there are workers, and the faults with it.
 */
bool intel_takeover_leaves_fault(struct intel_iommu *iommu, int reg)
{
	struct glue_unit *unit;
	bool leave;

	if (!iommu->takeover)
		return false;

	unit = container_of(iommu->takeover, struct glue_unit, core);
	leave = takeover_hear_fault(&unit->core, reg);
	if (unit->core.deaf)
		schedule_delayed_work(&unit->quiet, QUIET_DELAY);
	return leave;
}

/**
 * intel_takeover_judge_abort - go on after a wait that the hardware aborted?
 * @iommu: unit
 * @rc: -EAGAIN, or -ETIMEDOUT for a device that is known to be gone; anything
 *	else is returned as it is
 * @desc: descriptors that were waited for
 * @count: number of them, 0 afterwards if only the wait is left to repeat
 * @aborts: how often that happened to them
 *
 * Invalidations before one that a device does not answer have to be waited
 * for all the same, and so have those of others in the queue.
 *
 * Return: -EAGAIN if @count descriptors and a wait are to be queued once more.
 */
int intel_takeover_judge_abort(struct intel_iommu *iommu, int rc,
			       const struct qi_desc *desc, unsigned int *count,
			       unsigned int *aborts)
{
	unsigned int i;

	if (!iommu->takeover || (rc != -EAGAIN && rc != -ETIMEDOUT))
		return rc;

	*aborts = rc == -ETIMEDOUT ? TAKEOVER_ABORTS_MAX : *aborts + 1;
	for (i = 0; i < *count; i++) {
		if (takeover_gives_up_device(iommu->takeover, desc[i].qw0,
					     *aborts)) {
			*count = 0;
			break;
		}
	}
	return -EAGAIN;
}

/* takeover.h: devices */

/**
 * intel_takeover_spare_did - see to it that a new domain finds a free id
 * @iommu: unit; what excludes other users of its domain ids is held
 *
 * Before 6.16 that is the lock of its context tables as well.
 */
void intel_takeover_spare_did(struct intel_iommu *iommu)
{
	if (!iommu->takeover)
		return;
#if TAKEOVER_KERNEL >= 61600
	spin_lock(&iommu->lock);
#endif
	spin_lock(&takeover_spare_lock);
	takeover_spare_did(iommu->takeover);
	spin_unlock(&takeover_spare_lock);
#if TAKEOVER_KERNEL >= 61600
	spin_unlock(&iommu->lock);
#endif
}

/**
 * intel_takeover_holds_entry - is a context entry the takeover's business?
 * @iommu: unit
 * @bus: bus number of the requester
 * @devfn: its device and function number
 *
 * Return: true while the entry is the crashed kernel's, or blocks its
 * requester.
 */
bool intel_takeover_holds_entry(struct intel_iommu *iommu, u8 bus, u8 devfn)
{
	return intel_takeover_holds_rid(iommu, PCI_DEVID(bus, devfn));
}

/**
 * intel_takeover_holds_rid - is the context entry of a requester id?
 * @iommu: unit
 * @rid: the id
 *
 * Return: as intel_takeover_holds_entry().
 */
bool intel_takeover_holds_rid(struct intel_iommu *iommu, u16 rid)
{
	return iommu->takeover && takeover_holds_rid(iommu->takeover, rid);
}

/**
 * intel_takeover_holds_device - does a device wait for its driver to map?
 * @dev: device that the driver has probed
 *
 * Such a device is attached when its driver first maps, not before, and to a
 * translating domain: only that makes its driver's mappings come by here.
 */
bool intel_takeover_holds_device(struct device *dev)
{
	struct device_domain_info *info = dev_iommu_priv_get(dev);

	return info->iommu->takeover &&
	       takeover_holds_device(info->iommu->takeover, dev);
}

/**
 * intel_takeover_defers_attach - is a device attached when its driver maps?
 * @dev: device without a domain
 *
 * Before 6.3 the IOMMU core asks before each mapping. What failed between the
 * device's release and the end of its attach is then tried again.
 *
 * Return: true if it was held when it was first asked for.
 */
bool intel_takeover_defers_attach(struct device *dev)
{
	struct device_domain_info *info = dev_iommu_priv_get(dev);

	info->takeover_waits |= intel_takeover_holds_device(dev);
	return info->takeover_waits;
}

#if TAKEOVER_KERNEL >= 70000
/*
 * The two are of one IOMMU group: its lock, which iommu_deferred_attach()
 * takes, is held on behalf of the device that maps.
 */
static int attach_real_dma_dev(struct device *real)
{
	struct iommu_domain *domain;
	int ret;

	if (!real->iommu || !real->iommu->attach_deferred)
		return 0;

	domain = iommu_get_dma_domain(real);
	ret = domain->ops->attach_dev(domain, real, NULL);
	if (!ret)
		real->iommu->attach_deferred = 0;
	return ret;
}
#else
static int attach_real_dma_dev(struct device *real)
{
	return iommu_deferred_attach(real, iommu_get_dma_domain(real));
}
#endif

#if TAKEOVER_KERNEL >= 61500
static void finish_probe(struct device *dev)
{
	intel_iommu_ops.probe_finalize(dev);
}
#elif TAKEOVER_KERNEL >= 61200
static void finish_probe(struct device *dev)
{
	struct device_domain_info *info = dev_iommu_priv_get(dev);
	int features = info->pasid_supported & ~1;

	if (info->pasid_supported)
		info->pasid_enabled = !pci_enable_pasid(to_pci_dev(dev),
							features);
}
#endif

#if TAKEOVER_KERNEL >= 61200
/* What a virtual function has of ATS was prepared in the physical one, or not yet. */
static bool is_left_at_physfn(struct device *dev)
{
	struct device_domain_info *info;

	if (!dev_is_pci(dev) || !to_pci_dev(dev)->is_virtfn)
		return false;
	info = dev_iommu_priv_get(&pci_physfn(to_pci_dev(dev))->dev);
	return info && info->takeover_left;
}

/**
 * intel_takeover_leaves_function - is ATS of a device not the probe's to set?
 * @dev: device that the driver probes
 *
 * Its old mappings need ATS, PASIDs and page requests as they are. What is not
 * done now is done at the release.
 */
bool intel_takeover_leaves_function(struct device *dev)
{
	struct device_domain_info *info = dev_iommu_priv_get(dev);

	if (!intel_takeover_holds_device(dev) && !is_left_at_physfn(dev))
		return false;
	info->takeover_left = 1;
	return true;
}

/* What the probe left, on a function with nothing of the crashed kernel's. */
static void catch_up(struct device *dev)
{
	struct device_domain_info *info = dev_iommu_priv_get(dev);
	int ret;

	if (!info->takeover_left)
		return;
	info->takeover_left = 0;

	if (dev_is_pci(dev) && pci_ats_supported(to_pci_dev(dev))) {
		ret = pci_prepare_ats(to_pci_dev(dev), VTD_PAGE_SHIFT);
		if (ret) {
			dev_err(dev, "goes on without ATS (%d)\n", ret);
			info->ats_supported = 0;
		}
	}
	finish_probe(dev);
}
#else
/* The attach itself does everything. */
static void catch_up(struct device *dev)
{
}
#endif

/*
 * The device's own, empty PASID table. It may be there already, or have found
 * no memory when the device was released.
 */
#if TAKEOVER_KERNEL >= 60900
static int install_pasid_table(struct intel_iommu *iommu, struct device *dev)
{
	return sm_supported(iommu) ? intel_pasid_setup_sm_context(dev) : 0;
}
#else
/* The attach itself does it. */
static int install_pasid_table(struct intel_iommu *iommu, struct device *dev)
{
	return 0;
}
#endif

static int release(struct intel_iommu *iommu, struct device *dev)
{
	struct device_domain_info *info = dev_iommu_priv_get(dev);
	int released;

	spin_lock(&iommu->lock);
	released = takeover_release_device(iommu->takeover, dev);
	spin_unlock(&iommu->lock);

	/* Nothing could make it forget any more. */
	if (takeover_is_silent(iommu->takeover,
			       PCI_DEVID(info->bus, info->devfn)) ||
	    intel_takeover_lacks_queue(iommu))
		info->ats_supported = 0;
	if (released < 0)
		return released;
	if (released)
		dev_info(dev, "released, %d requester ids\n", released);
	return install_pasid_table(iommu, dev);
}

/**
 * intel_takeover_release - end a device's old mappings before it is attached
 * @dev: device
 *
 * Every attach, to whatever kind of domain, comes through here first. In
 * scalable mode the device then gets its own, empty, PASID table. The attach
 * finds its function as the probe of an ordinary boot would have left it.
 *
 * A device behind VMD appears on the bus as the VMD endpoint, whose driver
 * never maps. Its entry is released, and filled, on behalf of the device.
 *
 * Return: 0, or an errno with which the attach has to fail: -EIO if the unit
 * did not take our root table, -ENOMEM. The next mapping then tries again.
 */
int intel_takeover_release(struct device *dev)
{
	struct device_domain_info *info = dev_iommu_priv_get(dev);
	struct intel_iommu *iommu = info->iommu;
	struct device *real = dev;
	int ret;

	if (!iommu->takeover)
		return 0;

	if (dev_is_pci(dev))
		real = &pci_real_dma_dev(to_pci_dev(dev))->dev;
	ret = real == dev ? release(iommu, dev) : attach_real_dma_dev(real);
	if (ret)
		dev_err_ratelimited(dev, "not attached (%d)\n", ret);
	else
		catch_up(dev);
	return ret;
}

/*
 * A port or bridge takes what is behind it down with it. So does a VMD
 * controller, which looks like any RAID controller of Intel's.
 */
static bool leads_to_others(struct pci_dev *pdev)
{
	return pdev->hdr_type != PCI_HEADER_TYPE_NORMAL ||
	       pdev->class >> 16 == PCI_BASE_CLASS_BRIDGE ||
	       (pdev->vendor == PCI_VENDOR_ID_INTEL &&
		pdev->class >> 8 == PCI_CLASS_STORAGE_RAID);
}

/* Does a function say that it can be reset alone? Both ways to say so count. */
static bool has_flr(struct pci_dev *pdev)
{
	u8 cap = 0;
	int pos;

	if (pdev->dev_flags & PCI_DEV_FLAGS_NO_FLR_RESET)
		return false;
	if (!pcie_reset_flr(pdev, PCI_RESET_PROBE))
		return true;

	pos = pci_find_capability(pdev, PCI_CAP_ID_AF);
	if (pos)
		pci_read_config_byte(pdev, pos + PCI_AF_CAP, &cap);
	return cap & PCI_AF_CAP_TP && cap & PCI_AF_CAP_FLR;
}

/*
 * The old mappings are still in place, and no driver knows the function yet:
 * what it was doing ends here, and its driver may map in any order it likes.
 * Config space is kept, bus mastering is off until it is restored. Devices
 * known to need more than their function-level reset get that.
 *
 * Where the core blocks a function with ATS for the time of its reset, that
 * releases it: after its bus mastering, before the reset, which is as good.
 */
static void reset_held_device(struct pci_dev *pdev)
{
	int ret;

	if (!pci_device_is_present(pdev))
		return;
	if (!has_flr(pdev)) {
		pci_info(pdev, "not reset, it has no function-level reset\n");
		return;
	}
	ret = pci_reset_function_locked(pdev);
	if (ret)
		pci_warn(pdev, "could not be reset (%d)\n", ret);
	else
		pci_info(pdev, "reset before its driver starts\n");
}

static int is_rid(u16 rid, void *data)
{
	return rid == *(u16 *)data;
}

/* Has a device, which is the data, this requester id as well? */
static int is_rid_of_other(u16 rid, void *data)
{
	return vtd_visit_rids(data, is_rid, &rid);
}

/*
 * Behind a PCIe-to-PCI bridge several devices have one requester id, and are
 * released together when the first of them maps. From then on what the others
 * still do for the crashed kernel would get to where the first one's driver
 * maps. Without bus mastering they do nothing; their drivers switch it on.
 */
static int quiet_sharing_device(struct device *dev, void *data)
{
	struct device *first = data;

	if (dev == first || !dev_is_pci(dev) ||
	    to_pci_dev(dev)->hdr_type != PCI_HEADER_TYPE_NORMAL ||
	    !vtd_visit_rids(dev, is_rid_of_other, first))
		return 0;

	/* Or its driver is just coming, perhaps to do the same here. */
	if (!device_trylock(dev))
		return 0;
	if (!dev->driver) {
		pci_clear_master(to_pci_dev(dev));
		dev_info(dev, "bus mastering switched off, %s has the same requester id\n",
			 dev_name(first));
	}
	device_unlock(dev);
	return 0;
}

static void quiet_sharing_devices(struct device *dev)
{
	struct iommu_group *group = iommu_group_get(dev);

	if (!group)
		return;
	iommu_group_for_each_dev(group, dev, quiet_sharing_device);
	iommu_group_put(group);
}

/* A device behind VMD has no requester id of its own. */
static void lose_device(struct pci_dev *pdev, struct device_domain_info *info)
{
	struct intel_iommu *iommu = info->iommu;
	bool lost;

	if (!iommu->takeover || pci_real_dma_dev(pdev) != pdev)
		return;
	spin_lock(&iommu->lock);
	lost = takeover_lose_rid(iommu->takeover, pci_dev_id(pdev));
	spin_unlock(&iommu->lock);
	if (lost)
		pci_info(pdev, "gone, and its old mappings with it\n");
}

/* Comes with the lock of the device held. */
static int takeover_bus_event(struct notifier_block *nb, unsigned long event,
			      void *data)
{
	struct device *dev = data;
	struct device_domain_info *info;

	info = dev_iommu_priv_get(dev);
	if (info && event == BUS_NOTIFY_DEL_DEVICE)
		lose_device(to_pci_dev(dev), info);
	if (event != BUS_NOTIFY_BIND_DRIVER)
		return NOTIFY_DONE;

	if (!info || !intel_takeover_holds_device(dev) ||
	    leads_to_others(to_pci_dev(dev)))
		return NOTIFY_DONE;

	quiet_sharing_devices(dev);
	if (takeover_options.reset)
		reset_held_device(to_pci_dev(dev));
	return NOTIFY_DONE;
}

static struct notifier_block takeover_bus_events = {
	.notifier_call = takeover_bus_event,
};

/* Before there are any drivers. */
static int __init watch_drivers(void)
{
	if (!takeover_policy.found)
		return 0;
	return bus_register_notifier(&pci_bus_type, &takeover_bus_events);
}
fs_initcall_sync(watch_drivers);

static int not_blocked(u16 rid, void *data)
{
	return !takeover_blocks_rid(data, rid);
}

static bool is_blocked_endpoint(struct pci_dev *pdev)
{
	struct device_domain_info *info;

	if (pdev->hdr_type != PCI_HEADER_TYPE_NORMAL ||
	    pdev->class >> 16 == PCI_BASE_CLASS_BRIDGE || !pdev->dev.iommu)
		return false;

	info = dev_iommu_priv_get(&pdev->dev);
	return info && info->iommu->takeover &&
	       !vtd_visit_rids(&pdev->dev, not_blocked, info->iommu->takeover);
}

/*
 * A blocked device that nobody drives would go on trying for ever. Without
 * bus mastering it is quiet; a driver that binds later switches it on again.
 * Bridges pass on what others do, and are left alone.
 */
static int __init quiet_blocked_endpoints(void)
{
	struct pci_dev *pdev = NULL;

	if (!takeover_policy.found)
		return 0;

	for_each_pci_dev(pdev) {
		if (pdev->driver || !is_blocked_endpoint(pdev))
			continue;
		pci_clear_master(pdev);
		pci_info(pdev, "bus mastering switched off\n");
	}
	return 0;
}
late_initcall_sync(quiet_blocked_endpoints);

#if IS_ENABLED(CONFIG_INTEL_IOMMU_TAKEOVER_KUNIT_TEST)
#define TEST_IRT_ORDER \
	get_order(INTR_REMAP_TABLE_ENTRIES * sizeof(struct irte))

/* Tests take nothing from what units share, and have it without a takeover. */
static struct takeover_pool test_pool = {
	.left = 64,
	.live = takeover_live,
	.shared = takeover_shared,
};

#if TAKEOVER_KERNEL >= 61600
static bool init_test_ids(struct intel_iommu *iommu)
{
	ida_init(&iommu->domain_ida);
	return true;
}

static void free_test_ids(struct intel_iommu *iommu)
{
	ida_destroy(&iommu->domain_ida);
}
#else
/* The first two are the driver's. */
static bool init_test_ids(struct intel_iommu *iommu)
{
	iommu->domain_ids = bitmap_zalloc(cap_ndoms(iommu->cap), GFP_KERNEL);
	if (iommu->domain_ids)
		bitmap_set(iommu->domain_ids, 0, FLPT_DEFAULT_DID + 1);
	return iommu->domain_ids;
}

static void free_test_ids(struct intel_iommu *iommu)
{
	bitmap_free(iommu->domain_ids);
}
#endif

static void flush_no_context(struct intel_iommu *iommu, u16 did, u16 sid,
			     u8 fm, u64 type)
{
}

static void flush_no_iotlb(struct intel_iommu *iommu, u16 did, u64 addr,
			   unsigned int size_order, u64 type)
{
}

/**
 * takeover_test_unit - a unit for the KUnit suites
 * @irt: where to put the address of its interrupt table
 *
 * It has ids and tables, and no registers.
 *
 * Return: the unit, NULL if there is no memory for it.
 */
struct takeover_unit *takeover_test_unit(u64 **irt)
{
#if TAKEOVER_KERNEL >= 70000
	struct intel_iommu *iommu = kzalloc_obj(*iommu);
	struct glue_unit *unit = kzalloc_obj(*unit);
	struct ir_table *table = kzalloc_obj(*table);
#else
	struct intel_iommu *iommu = kzalloc(sizeof(*iommu), GFP_KERNEL);
	struct glue_unit *unit = kzalloc(sizeof(*unit), GFP_KERNEL);
	struct ir_table *table = kzalloc(sizeof(*table), GFP_KERNEL);
#endif
	bool ids;

	if (!iommu || !unit || !table)
		goto out;

	/* Legacy mode with 48 bits, 256 domain ids, no device-TLBs. */
	iommu->cap = FIELD_PREP(VTD_CAP_ND, 2) |
		     FIELD_PREP(VTD_CAP_SAGAW, BIT(2));
	iommu->node = NUMA_NO_NODE;
	iommu->flush.flush_context = flush_no_context;
	iommu->flush.flush_iotlb = flush_no_iotlb;
	ids = init_test_ids(iommu);
	iommu->ir_table = table;
	table->bitmap = bitmap_zalloc(INTR_REMAP_TABLE_ENTRIES, GFP_KERNEL);
	*irt = (u64 *)__get_free_pages(GFP_KERNEL | __GFP_ZERO, TEST_IRT_ORDER);
	table->base = (struct irte *)*irt;

	unit->iommu = iommu;
	unit->core.name = "test";
	/* Its old RAM is this kernel's memory. */
	unit->core.unguarded = true;
	unit->core.pool = &test_pool;
	unit->core.cap = iommu->cap;
	find_fatal_vectors(unit->core.fatal_vectors);
	unit->core.root = vtd_alloc_table(&unit->core, GFP_KERNEL);
	if (alloc_bitmaps(&unit->core) && ids && table->bitmap &&
	    table->base && unit->core.root)
		return &unit->core;
	takeover_free_test_unit(&unit->core);
	return NULL;
out:
	kfree(table);
	kfree(unit);
	kfree(iommu);
	return NULL;
}

#if TAKEOVER_KERNEL >= 70000
static int attach_to(struct iommu_domain *domain, struct device *dev)
{
	return domain->ops->attach_dev(domain, dev, NULL);
}
#elif TAKEOVER_KERNEL >= 61200
static int attach_to(struct iommu_domain *domain, struct device *dev)
{
	return domain->ops->attach_dev(domain, dev);
}
#endif

#if TAKEOVER_KERNEL >= 61200
static int attach(struct device *dev, bool block)
{
	return attach_to(block ? intel_iommu_ops.blocked_domain :
				 intel_iommu_ops.identity_domain, dev);
}

static bool is_attached(const struct device_domain_info *info)
{
	return info->domain_attached;
}
#else
static bool is_attached(const struct device_domain_info *info)
{
	return info->domain;
}

/* An attach looks for the device's unit in the firmware's tables. */
static int attach(struct device *dev, bool block)
{
	return intel_takeover_release(dev) ?: -EOPNOTSUPP;
}
#endif

/**
 * takeover_test_attach - attach a device to a domain of the driver's
 * @dev: device of takeover_test_device()
 * @block: to its blocking domain, not to that for identity
 *
 * The driver does it, on the tables of a unit without registers.
 *
 * Return: what the driver returns, -EOPNOTSUPP where it cannot do this.
 */
int takeover_test_attach(struct device *dev, bool block)
{
	struct device_domain_info *info = dev_iommu_priv_get(dev);
	int sm = intel_iommu_sm;
	int ret;

	intel_iommu_sm = info->iommu->takeover->scalable;
	ret = attach(dev, block);
	intel_iommu_sm = sm;
	return ret;
}

/**
 * takeover_test_is_attached - does the driver think that a device is attached?
 * @dev: device of takeover_test_device()
 */
bool takeover_test_is_attached(struct device *dev)
{
	return is_attached(dev_iommu_priv_get(dev));
}

/**
 * takeover_test_defers - does the driver want to attach a device later?
 * @dev: device of takeover_test_device()
 */
bool takeover_test_defers(struct device *dev)
{
	return intel_iommu_ops.is_attach_deferred(dev);
}

#if TAKEOVER_KERNEL >= 61200
/**
 * takeover_test_leaves_vf - does the probe of a virtual function wait as well?
 * @vf: device of takeover_test_device()
 * @pf: another one, its physical function
 *
 * Return: whether the probe leaves ATS of @vf after that of @pf, -EOPNOTSUPP
 * where a probe prepares nothing.
 */
int takeover_test_leaves_vf(struct device *vf, struct device *pf)
{
	struct device_domain_info *info = dev_iommu_priv_get(vf);
	struct pci_dev *pdev = to_pci_dev(vf);

	pdev->bus = pci_find_next_bus(NULL);
	if (!IS_ENABLED(CONFIG_PCI_ATS) || !pdev->bus)
		return -EOPNOTSUPP;
	pdev->devfn = info->devfn;
#ifdef CONFIG_PCI_ATS
	pdev->physfn = to_pci_dev(pf);
#endif
	pdev->is_virtfn = 1;
	vf->bus = &pci_bus_type;
	intel_takeover_leaves_function(pf);
	return intel_takeover_leaves_function(vf);
}
#else
int takeover_test_leaves_vf(struct device *vf, struct device *pf)
{
	return -EOPNOTSUPP;
}
#endif

struct test_device {
	struct pci_dev			pdev;
	struct dev_iommu		of_core;
	struct device_domain_info	info;
	struct pasid_table		pasids;
};

/**
 * takeover_test_device - a device for the KUnit suites, as if probed
 * @test: test
 * @unit: unit of takeover_test_unit(), which translates for the device
 * @rid: its requester id
 *
 * Return: the device, NULL if there is no memory for it.
 */
struct device *takeover_test_device(struct kunit *test,
				    struct takeover_unit *unit, u16 rid)
{
	struct test_device *of = kunit_kzalloc(test, sizeof(*of), GFP_KERNEL);
	struct intel_iommu *iommu = to_iommu(unit);

	if (!of)
		return NULL;
	of->pasids.table = vtd_alloc_table(unit, GFP_KERNEL);
	if (!of->pasids.table)
		return NULL;
	of->pasids.max_pasid = 1;
	of->info.dev = &of->pdev.dev;
	of->info.iommu = iommu;
	of->info.bus = VTD_RID_BUS(rid);
	of->info.devfn = rid & 0xff;
	of->info.pasid_table = &of->pasids;
	of->of_core.priv = &of->info;
	of->pdev.dev.init_name = "test";
	of->pdev.dev.iommu = &of->of_core;

	iommu->takeover = unit;
	iommu->root_entry = (struct root_entry *)unit->root;
	iommu->ecap = unit->scalable ? VTD_ECAP_SMTS : 0;
	spin_lock_init(&iommu->lock);
	return &of->pdev.dev;
}

/**
 * takeover_free_test_unit - the end of such a unit
 * @unit: unit
 */
void takeover_free_test_unit(struct takeover_unit *unit)
{
	struct intel_iommu *iommu = to_iommu(unit);

	if (unit->root)
		vtd_free_table(unit->root);
	free_pages((unsigned long)iommu->ir_table->base, TEST_IRT_ORDER);
	bitmap_free(iommu->ir_table->bitmap);
	kfree(iommu->ir_table);
	free_test_ids(iommu);
	kfree(iommu);
	free_unit(container_of(unit, struct glue_unit, core));
}
#endif
