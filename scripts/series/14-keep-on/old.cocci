// What only older kernels do.
//
// only: <6.3
// file: drivers/iommu/intel/iommu.c
// matches: deferred_leaves 1
// matches: mode_stays 1

@deferred_leaves@
expression dev;
position p;
@@
  intel_iommu_release_device(...)
  {
  ...
- dmar_remove_one_dev_info@p(dev);
+ if (info->domain)
+ 	dmar_remove_one_dev_info(dev);
  ...
  }

@mode_stays@
position p;
@@
  register_pasid_allocator(...)
  {
  <...
- intel_iommu_sm@p = 0;
+ if (!intel_takeover_active(iommu))
+ 	intel_iommu_sm = 0;
  ...>
  }
