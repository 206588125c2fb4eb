// SPDX-License-Identifier: GPL-2.0-only
//
// What a page held before it became a context table.
//
// file: quiet.c
// breaks: CLOSED

@@
identifier table;
@@
- vtd_flush_lines(table, VTD_TABLE_SIZE);
