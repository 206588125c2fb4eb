// SPDX-License-Identifier: GPL-2.0-only
//
// The present bit is there for software only.
//
// file: block.c
// breaks: ALIVE

@@
expression entry, unit;
@@
  WRITE_ONCE(entry[0], entry[0] | VTD_CTX_PRESENT);
- vtd_flush_lines(entry, takeover_entry_words(unit) * sizeof(*entry));
