// Which entries are the crashed kernel's is the takeover's knowledge.
//
// file: drivers/iommu/intel/iommu.h
// matches: no_setters 2
// matches: held 1
// matches[<6.9]: no_setters 0
// matches[<6.9]: held 0
// file: drivers/iommu/intel/iommu.c
// matches: no_setters 0
// matches: held 0
// matches[<6.9]: no_setters 2
// matches[<6.9]: held 1

@no_setters@
identifier fn = { set_context_copied, clear_context_copied };
position p;
@@
- static inline void fn@p(...) { ... }

@held@
identifier iommu, bus, devfn;
position p;
@@
  context_copied(struct intel_iommu *iommu, u8 bus, u8 devfn)
  {
- if@p (!iommu->copied_tables)
- 	return false;
- return test_bit(...);
+ return intel_takeover_holds_entry(iommu, bus, devfn);
  }
