// SPDX-License-Identifier: GPL-2.0-only
//
// The table of a page's parts lets nobody write.
//
// file: guard.c
// breaks: ALIVE

@@
expression word, table, f;
@@
- *word = virt_to_phys(table) | all_rights(f);
+ *word = virt_to_phys(table) | (all_rights(f) & ~VTD_SS_WRITE);
  return 1;
