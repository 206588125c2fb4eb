// The queue's interrupt waits for the queue, and the queue is changed by the
// takeover.
//
// file: drivers/iommu/intel/prq.c
// matches: quiet 1
// matches: change 1
// matches: aloud 1
// matches[<6.12]: quiet 0
// matches[<6.12]: change 0
// matches[<6.12]: aloud 0
// file: drivers/iommu/intel/svm.c
// matches: quiet 0
// matches: change 0
// matches: aloud 0
// matches[<6.12]: quiet 1
// matches[<6.12]: change 1
// matches[<6.12]: aloud 1

@quiet@
expression irq, name, data;
position p;
@@
  request_threaded_irq(irq, NULL, prq_event_thread,
- 		       IRQF_ONESHOT@p
+ 		       IRQF_ONESHOT | IRQF_NO_AUTOEN
  		       , name, data)

@change@
identifier fn = { intel_svm_enable_prq, intel_iommu_enable_prq };
identifier iommu, set = { writeq, dmar_writeq };
expression a, b, c, d, e, f;
position p;
@@
  fn(struct intel_iommu *iommu)
  {
  ...
- set@p(a, b);
- set(c, d);
- set(e, f);
+ if (!intel_takeover_switch_prq(iommu, virt_to_phys(iommu->prq) | PRQ_ORDER)) {
+ 	set(a, b);
+ 	set(c, d);
+ 	set(e, f);
+ }
  ...
  }

@aloud@
identifier fn = { intel_svm_enable_prq, intel_iommu_enable_prq };
identifier iommu;
position p;
@@
  fn(struct intel_iommu *iommu)
  {
  ...
  init_completion@p(&iommu->prq_complete);
+ enable_irq(irq);
  ...
  }
