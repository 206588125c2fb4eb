// SPDX-License-Identifier: GPL-2.0-only
//
// A unit that does not snoop sees the entry as it was found.
//
// file: guard.c
// breaks: SHIELD

@@
expression entry, unit;
@@
- if (ret)
-			vtd_flush_lines(entry, takeover_entry_words(unit) *
-					       sizeof(*entry));
