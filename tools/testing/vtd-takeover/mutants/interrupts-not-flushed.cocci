// SPDX-License-Identifier: GPL-2.0-only
//
// A unit that does not snoop reads what was in the page before.
//
// file: irte.c
// breaks: ALIVE

@@
expression table, entries;
@@
- vtd_flush_lines(table, entries * ENTRY_SIZE);
