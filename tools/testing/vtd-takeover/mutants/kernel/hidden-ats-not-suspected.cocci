// SPDX-License-Identifier: GPL-2.0-only
//
// A function whose device-TLB cannot be seen counts as one without.
//
// file: drivers/iommu/intel/takeover/glue.c
// kunit: suspects_what_is_hidden

@@
@@
- return VTD_DEVICE_HIDDEN;
+ return 0;
