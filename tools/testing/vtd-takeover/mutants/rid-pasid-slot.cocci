// SPDX-License-Identifier: GPL-2.0-only
//
// The entry is looked for at the beginning of its table.
//
// file: pasid.c
// breaks: TAGS

@@
expression pasid;
@@
- pasid % VTD_PASIDS_PER_TABLE * VTD_PTE_SIZE
+ 0
