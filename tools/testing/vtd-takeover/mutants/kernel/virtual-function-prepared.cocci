// SPDX-License-Identifier: GPL-2.0-only
//
// A virtual function is prepared although its physical one is not.
//
// file: drivers/iommu/intel/takeover/glue.c
// kunit: leaves_virtual_functions_too

@@
expression dev;
@@
- !intel_takeover_holds_device(dev) && !is_left_at_physfn(dev)
+ !intel_takeover_holds_device(dev)
