// SPDX-License-Identifier: GPL-2.0-only
//
// The entry has a table, and lets through all the same.
//
// file: guard.c
// breaks: SHIELD

@@
expression word, entry;
@@
- word = entry[0] & ~(VTD_CTX_SSPTPTR | VTD_CTX_TT);
+ word = entry[0] & ~VTD_CTX_SSPTPTR;
