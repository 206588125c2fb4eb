// SPDX-License-Identifier: GPL-2.0-only
//
// The kdump kernel's IDT is not asked.
//
// file: drivers/iommu/intel/takeover/glue.c
// row: interrupt-int80
// breaks: dump

@@
symbol fatal, system_vectors;
@@
- bitmap_copy(fatal, system_vectors, NR_VECTORS);
+ bitmap_zero(fatal, NR_VECTORS);
