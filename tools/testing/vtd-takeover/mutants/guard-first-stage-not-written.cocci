// SPDX-License-Identifier: GPL-2.0-only
//
// A PASID entry keeps its old first-stage table.
//
// file: guard.c
// breaks: SHIELD

@@
expression entry, top;
@@
- entry[2] = (entry[2] & ~VTD_PTE_FSPTPTR) | top;
+ ;
