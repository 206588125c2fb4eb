// SPDX-License-Identifier: GPL-2.0-only
//
// A context entry keeps its old page table.
//
// file: guard.c
// breaks: SHIELD

@@
expression entry, top;
@@
- WRITE_ONCE(entry[0], (entry[0] & ~VTD_CTX_SSPTPTR) | top);
+ ;
