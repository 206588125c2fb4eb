// SPDX-License-Identifier: GPL-2.0-only
//
// A unit that does not snoop reads what was in the page before.
//
// file: unit.c
// breaks: ALIVE

@@
expression root;
@@
- vtd_flush_lines(root, VTD_TABLE_SIZE);
