// SPDX-License-Identifier: GPL-2.0-only
//
// PASIDs beyond the first table are not looked at.
//
// file: guard.c
// breaks: SHIELD

@@
expression i, base;
@@
- for (i = 0; i < VTD_TABLE_WORDS; i++, base += VTD_PASIDS_PER_TABLE)
+ for (i = 0; i < 1; i++, base += VTD_PASIDS_PER_TABLE)
  { ... }
