// SPDX-License-Identifier: GPL-2.0-only
//
// A unit that does not snoop sees what was in the page before.
//
// file: guard.c
// breaks: ALIVE

@@
expression copy, guard;
@@
- vtd_flush_lines(copy, VTD_TABLE_SIZE);
  return guard->nr_copies - 1 + FIRST_COPY;
