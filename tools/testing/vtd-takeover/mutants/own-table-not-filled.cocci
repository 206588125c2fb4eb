// SPDX-License-Identifier: GPL-2.0-only
//
// The neighbours of a device that maps are blocked aloud.
//
// file: block.c
// breaks: ALIVE

@@
expression table, unit;
@@
- fill_blocked(table, takeover_entry_words(unit));
