// SPDX-License-Identifier: GPL-2.0-only
//
// A new context table that the unit does not see.
//
// file: quiet.c
// breaks: CLOSED

@@
identifier word;
@@
- vtd_flush_lines(word, sizeof(*word));
