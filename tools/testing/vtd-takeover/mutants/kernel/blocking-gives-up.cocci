// SPDX-License-Identifier: GPL-2.0-only
//
// A device that cannot be released is not blocked either, and whoever removes it goes on.
//
// file: drivers/iommu/intel/iommu.c
// kunit: blocks_what_was_attached

@@
identifier ret;
@@
  blocking_domain_attach_dev(...)
  {
  ...
  int ret = intel_takeover_release(dev);
+ if (ret)
+ 	return ret;
  ...
  }
