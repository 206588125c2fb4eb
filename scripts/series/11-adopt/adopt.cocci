// The thin copying goes, with what only it used; the takeover takes its
// places.
//
// file: drivers/iommu/intel/iommu.c
// matches: no_pointers 2
// matches: no_copying 2
// matches: no_tear_down 1
// matches[<6.9]: no_tear_down 0
// matches: no_tear_down_calls 2
// matches[<6.9]: no_tear_down_calls 0
// matches: no_tear_down_in_place 0
// matches[<6.9]: no_tear_down_in_place 1
// matches: no_copied_tables 1
// matches: found 1
// matches: adopt 1
// matches: no_late_context 1
// matches[<6.9]: no_late_context 0
// matches: deferred 1

@no_pointers@
identifier fn = { root_entry_lctp, root_entry_uctp };
type T;
position p;
@@
- static T fn@p(...) { ... }

@no_copying@
identifier fn = { copy_context_table, copy_translation_tables };
position p;
@@
- static int fn@p(...) { ... }

@no_tear_down@
identifier fn = { copied_context_tear_down };
position p;
@@
- static void fn@p(...) { ... }

@no_tear_down_calls@
expression iommu, context, bus, devfn;
position p;
@@
- copied_context_tear_down@p(iommu, context, bus, devfn);

@no_tear_down_in_place@
expression iommu, bus, devfn;
position p;
@@
  domain_context_mapping_one(...)
  {
  <...
- if@p (context_copied(iommu, bus, devfn)) { ... }
  ...>
  }

@no_copied_tables@
expression iommu;
position p;
@@
- if@p (iommu->copied_tables) {
- 	bitmap_free(iommu->copied_tables);
- 	iommu->copied_tables = NULL;
- }

@found@
expression iommu;
position p;
@@
  translation_pre_enabled(iommu) && !
- is_kdump_kernel@p()
+ intel_takeover_active(iommu)

@adopt@
identifier iommu, ret;
position p;
@@
- if@p (translation_pre_enabled(iommu)) {
- 	pr_info(...);
- 	ret = copy_translation_tables(iommu);
- 	...
- }
+ intel_takeover_adopt(iommu);

@no_late_context@
expression iommu, dev;
expression E;
position p;
@@
- if@p (sm_supported(iommu) && !dev_is_real_dma_subdevice(dev) && E)
- 	return intel_pasid_setup_sm_context(dev);

@deferred@
identifier dev, info;
position p;
@@
  intel_iommu_is_attach_deferred(struct device *dev)
  {
  ...
- return translation_pre_enabled@p(info->iommu) && !info->domain;
+ return !info->domain && intel_takeover_defers_attach(dev);
  }
