// The copying of a table of just our size, unchecked, goes.
//
// file: drivers/iommu/intel/irq_remapping.c
// matches: no_copying 1
// matches: adopt 1

@no_copying@
position p;
@@
- static int iommu_load_old_irte@p(...)
- { ... }

@adopt@
expression iommu;
position p;
@@
- iommu_load_old_irte@p(iommu)
+ intel_takeover_adopt_irtes(iommu, eim_mode)
