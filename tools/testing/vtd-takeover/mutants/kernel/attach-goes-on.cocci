// SPDX-License-Identifier: GPL-2.0-only
//
// A device whose entry could not be installed counts as attached.
//
// file: drivers/iommu/intel/iommu.c
// kunit: fails_where_the_unit_does_not_see_it

@@
identifier ret;
@@
  identity_domain_attach_dev(...)
  {
  <...
- if (ret)
- 	return ret;
  ...>
  }
