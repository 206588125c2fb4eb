/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Taking over a remapping unit that a crashed kernel left translating: the
 * functions that intel-iommu calls. See Documentation/admin-guide/kdump/
 * vtd-takeover.rst for what they are for.
 */
#ifndef VTD_TAKEOVER_H
#define VTD_TAKEOVER_H

#include <linux/errno.h>
#include <linux/types.h>

struct device;
struct intel_iommu;
struct qi_desc;

#ifdef CONFIG_INTEL_IOMMU_TAKEOVER
void intel_takeover_detect(void __iomem *regs);
void intel_takeover_probe_unit(struct intel_iommu *iommu);
void intel_takeover_free_unit(struct intel_iommu *iommu);
bool intel_takeover_active(struct intel_iommu *iommu);
void intel_takeover_adopt(struct intel_iommu *iommu);
bool intel_takeover_install(struct intel_iommu *iommu);
bool intel_takeover_switch_prq(struct intel_iommu *iommu, u64 pqa);
bool intel_takeover_keeps_on(void);
bool intel_takeover_lets_go(void);
bool intel_takeover_does_without(struct intel_iommu *iommu, int error);
bool intel_takeover_does_without_pages(struct intel_iommu *iommu, int error);
void intel_takeover_spare_did(struct intel_iommu *iommu);
bool intel_takeover_holds_entry(struct intel_iommu *iommu, u8 bus, u8 devfn);
bool intel_takeover_holds_rid(struct intel_iommu *iommu, u16 rid);
bool intel_takeover_holds_device(struct device *dev);
bool intel_takeover_defers_attach(struct device *dev);
bool intel_takeover_leaves_function(struct device *dev);
int intel_takeover_release(struct device *dev);
int intel_takeover_adopt_irtes(struct intel_iommu *iommu, bool eim);
bool intel_takeover_keeps_remapping(void);
bool intel_takeover_stop_queue(struct intel_iommu *iommu);
bool intel_takeover_gives_up(struct intel_iommu *iommu, u64 since);
bool intel_takeover_lost_queue(struct intel_iommu *iommu);
bool intel_takeover_lacks_queue(struct intel_iommu *iommu);
int intel_takeover_await(struct intel_iommu *iommu, int rc,
			 const struct qi_desc *desc, unsigned int count,
			 u64 since);
int intel_takeover_do_without(struct intel_iommu *iommu,
			      const struct qi_desc *desc, unsigned int count);
bool intel_takeover_leaves_fault(struct intel_iommu *iommu, int reg);
int intel_takeover_judge_abort(struct intel_iommu *iommu, int rc,
			       const struct qi_desc *desc, unsigned int *count,
			       unsigned int *aborts);
#else
static inline void intel_takeover_detect(void __iomem *regs) {}
static inline void intel_takeover_free_unit(struct intel_iommu *iommu) {}
static inline void intel_takeover_adopt(struct intel_iommu *iommu) {}
static inline void intel_takeover_spare_did(struct intel_iommu *iommu) {}

static inline void intel_takeover_probe_unit(struct intel_iommu *iommu)
{
}

static inline int intel_takeover_release(struct device *dev)
{
	return 0;
}

static inline bool intel_takeover_active(struct intel_iommu *iommu)
{
	return false;
}

static inline bool intel_takeover_install(struct intel_iommu *iommu)
{
	return false;
}

static inline bool intel_takeover_switch_prq(struct intel_iommu *iommu,
					     u64 pqa)
{
	return false;
}

static inline bool intel_takeover_keeps_on(void)
{
	return false;
}

static inline bool intel_takeover_lets_go(void)
{
	return false;
}

static inline bool intel_takeover_does_without(struct intel_iommu *iommu,
					       int error)
{
	return false;
}

static inline bool
intel_takeover_does_without_pages(struct intel_iommu *iommu, int error)
{
	return false;
}

static inline bool intel_takeover_holds_entry(struct intel_iommu *iommu, u8 bus,
					      u8 devfn)
{
	return false;
}

static inline bool intel_takeover_holds_rid(struct intel_iommu *iommu, u16 rid)
{
	return false;
}

static inline bool intel_takeover_holds_device(struct device *dev)
{
	return false;
}

static inline bool intel_takeover_defers_attach(struct device *dev)
{
	return false;
}

static inline bool intel_takeover_leaves_function(struct device *dev)
{
	return false;
}

static inline int intel_takeover_adopt_irtes(struct intel_iommu *iommu,
					     bool eim)
{
	return -ENODEV;
}

static inline bool intel_takeover_keeps_remapping(void)
{
	return false;
}

static inline bool intel_takeover_stop_queue(struct intel_iommu *iommu)
{
	return false;
}

static inline bool intel_takeover_gives_up(struct intel_iommu *iommu, u64 since)
{
	return false;
}

static inline bool intel_takeover_lost_queue(struct intel_iommu *iommu)
{
	return false;
}

static inline bool intel_takeover_lacks_queue(struct intel_iommu *iommu)
{
	return false;
}

static inline int intel_takeover_await(struct intel_iommu *iommu, int rc,
				       const struct qi_desc *desc,
				       unsigned int count, u64 since)
{
	return rc;
}

static inline int intel_takeover_do_without(struct intel_iommu *iommu,
					    const struct qi_desc *desc,
					    unsigned int count)
{
	return 0;
}

static inline bool intel_takeover_leaves_fault(struct intel_iommu *iommu,
					       int reg)
{
	return false;
}

static inline int intel_takeover_judge_abort(struct intel_iommu *iommu, int rc,
					     const struct qi_desc *desc,
					     unsigned int *count,
					     unsigned int *aborts)
{
	return rc;
}
#endif /* CONFIG_INTEL_IOMMU_TAKEOVER */

#endif /* VTD_TAKEOVER_H */
