// SPDX-License-Identifier: GPL-2.0-only
//
// The unit may see an entry with half of its words.
//
// file: block.c
// breaks: ALIVE

@@
expression entry, unit;
@@
- vtd_flush_lines(entry, takeover_entry_words(unit) * sizeof(*entry));
