// SPDX-License-Identifier: GPL-2.0-only
//
// A unit that does not snoop walks what was in the page before.
//
// file: block.c
// breaks: ALIVE

@@
expression table;
@@
- if (table)
- 	vtd_flush_lines(table, VTD_TABLE_SIZE);
