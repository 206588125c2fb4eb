// SPDX-License-Identifier: GPL-2.0-only
//
// A unit that does not snoop reads what was in the page before.
//
// file: block.c
// breaks: CLOSED

@@
expression table, i, words;
@@
  for (i = 0; i < VTD_TABLE_WORDS; i += words)
  WRITE_ONCE(table[i], VTD_CTX_FPD);
- vtd_flush_lines(table, VTD_TABLE_SIZE);
