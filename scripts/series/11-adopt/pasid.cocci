// A scalable entry is empty by the time its PASID table is set: release came
// first.
//
// only: >=6.9
// file: drivers/iommu/intel/pasid.c
// matches: no_tear_down 1

@no_tear_down@
expression iommu, bus, devfn;
position p;
@@
- if@p (context_copied(iommu, bus, devfn)) { ... }
