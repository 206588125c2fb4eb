// SPDX-License-Identifier: GPL-2.0-only
//
// What is not there counts as there: its reserved memory is never given up.
//
// file: drivers/iommu/intel/takeover/glue.c
// kunit: knows_which_functions_answer

@@
symbol class;
@@
- !PCI_POSSIBLE_ERROR(class)
+ class
