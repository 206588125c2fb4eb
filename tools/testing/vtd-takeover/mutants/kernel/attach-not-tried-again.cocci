// SPDX-License-Identifier: GPL-2.0-only
//
// Once released, a device that was not attached is not attached any more.
//
// file: drivers/iommu/intel/takeover/glue.c
// kunit: waits_until_it_is_attached

@@
expression info;
@@
- return info->takeover_waits;
+ return intel_takeover_holds_device(dev);
