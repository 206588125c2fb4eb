// SPDX-License-Identifier: GPL-2.0-only
//
// A bus without a table faults aloud.
//
// file: tables.c
// breaks: CLOSED

@@
expression word;
@@
- WRITE_ONCE(*word, takeover_blocked_table());
