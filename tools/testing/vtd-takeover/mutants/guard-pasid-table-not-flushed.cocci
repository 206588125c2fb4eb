// SPDX-License-Identifier: GPL-2.0-only
//
// A unit that does not snoop sees what was in the page before.
//
// file: guard.c
// breaks: ALIVE

@@
expression table, last;
identifier ours;
@@
- vtd_flush_lines(table, VTD_TABLE_SIZE);
  if (!ours)
  	*last = table;
