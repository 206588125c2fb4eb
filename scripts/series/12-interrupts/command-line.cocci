// file: drivers/iommu/irq_remapping.c
// matches: keeps 1

@keeps@
statement S;
position p;
@@
  irq_remapping_prepare(...)
  {
  ...
  if (
- 	disable_irq_remap@p
+ 	disable_irq_remap && !intel_takeover_keeps_remapping()
     )
  S
  ...
  }
