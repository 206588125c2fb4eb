// SPDX-License-Identifier: GPL-2.0-only
//
// Interrupts of a table that was not read fault aloud.
//
// file: irte.c
// breaks: CLOSED

@@
expression ret, table, entries;
@@
- if (ret)
- 	block_entries(table, entries);
  vtd_flush_lines(...);
