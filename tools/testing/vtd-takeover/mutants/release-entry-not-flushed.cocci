// SPDX-License-Identifier: GPL-2.0-only
//
// A unit that does not snoop goes on with the entry.
//
// file: release.c
// breaks: FRESH

@@
expression entry, word, left, unit;
@@
  WRITE_ONCE(entry[0], (word & ~VTD_CTX_PRESENT) | left);
- vtd_flush_lines(entry, sizeof(*entry));
  vtd_flush_write_buffer(unit);
