// Neither who reports faults nor who answers page requests is needed for a dump.
//
// file: drivers/iommu/intel/iommu.c
// matches: faults 1
// matches: pages 1

@faults@
identifier iommu, ret;
statement S;
position p;
@@
  init_dmars(...)
  {
  <...
  ret = dmar_set_interrupt@p(iommu);
  if (
- 	ret
+ 	ret && !intel_takeover_does_without(iommu, ret)
     )
  S
  ...>
  }

@pages@
identifier fn = { intel_svm_enable_prq, intel_iommu_enable_prq };
identifier iommu, ret;
expression lock;
statement S;
position p;
@@
  init_dmars(...)
  {
  <...
  ret = fn@p(iommu);
  down_write(lock);
  if (
- 	ret
+ 	ret && !intel_takeover_does_without_pages(iommu, ret)
     )
  S
  ...>
  }
