// SPDX-License-Identifier: GPL-2.0-only
//
// A function behind another unit is asked to empty a device-TLB of this one.
//
// file: drivers/iommu/intel/takeover/glue.c
// kunit: knows_which_functions_answer

@@
symbol pdev;
@@
  vtd_hidden_function_answers(...)
  {
  ...
- if (pdev)
- 	return false;
  ...
  }
