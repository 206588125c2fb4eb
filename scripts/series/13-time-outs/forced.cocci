// A kdump kernel that panics saves no dump, whoever forces the IOMMU on.
//
// file: drivers/iommu/intel/iommu.c
// matches: forced 3

@forced@
expression force_on, why;
position p;
@@
  intel_iommu_init(...)
  {
  <...
  if (
- 	force_on
+ 	force_on && !is_kdump_kernel()
     ) { panic@p(why); }
  ...>
  }
