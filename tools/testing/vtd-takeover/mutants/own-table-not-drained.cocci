// SPDX-License-Identifier: GPL-2.0-only
//
// A unit follows a root entry to a table that is still in the write buffer.
//
// file: block.c
// breaks: CLOSED

@@
expression table, unit, word;
@@
  fill_blocked(table, takeover_entry_words(unit));
- vtd_flush_write_buffer(unit);
