// Firmware that opts out of remapping is obeyed, unless the crashed kernel did
// not obey it either.
//
// only: >=7.3
// file: drivers/iommu/intel/dmar.c
// matches: opt_out 1

@opt_out@
expression dmar;
statement S;
position p;
@@
  detect_intel_iommu(...)
  {
  ...
  if (
- 	dmar->flags@p & DMAR_REMAP_OPT_OUT
+ 	(dmar->flags & DMAR_REMAP_OPT_OUT) && !intel_takeover_keeps_on()
     )
  S
  ...
  }
