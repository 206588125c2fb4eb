// A device that the takeover holds has nobody who brings pages in.
//
// only: >=6.9
// file: drivers/iommu/intel/prq.c
// matches: held 1
// matches[<6.12]: held 0
// file: drivers/iommu/intel/svm.c
// matches: held 0
// matches[<6.12]: held 1

@held@
identifier iommu, req, dev;
position p;
@@
  dev = device_rbtree_find@p(iommu, req->rid);
  if (
-     !dev
+     !dev || intel_takeover_holds_rid(iommu, req->rid)
     ) { ... }
