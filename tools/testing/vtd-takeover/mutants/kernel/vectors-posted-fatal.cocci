// SPDX-License-Identifier: GPL-2.0-only
//
// Legitimate vectors of posted interrupts are dropped.
//
// file: drivers/iommu/intel/takeover/glue.c
// kunit: knows_what_would_stop_us

@@
symbol fatal;
@@
- __clear_bit(POSTED_INTR_VECTOR, fatal);
