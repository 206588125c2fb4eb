// SPDX-License-Identifier: GPL-2.0-only
//
// Blocked entries without FPD.
//
// file: block.c
// breaks: CLOSED

@@
expression table, i, words;
@@
  for (i = 0; i < VTD_TABLE_WORDS; i += words)
- WRITE_ONCE(table[i], VTD_CTX_FPD);
+ WRITE_ONCE(table[i], 0);
  vtd_flush_lines(table, VTD_TABLE_SIZE);
