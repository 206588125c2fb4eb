// SPDX-License-Identifier: GPL-2.0-only
//
// What is not there counts as there: it is asked to forget, and waited for.
//
// file: drivers/iommu/intel/takeover/glue.c
// kunit: knows_which_functions_answer

@@
symbol class;
@@
- !PCI_POSSIBLE_ERROR(class)
+ class
