// SPDX-License-Identifier: GPL-2.0-only
//
// The unit goes on with the shared table, and never sees the entry.
//
// file: block.c
// breaks: FRESH

@@
expression word;
@@
- vtd_flush_lines(word, sizeof(*word));
