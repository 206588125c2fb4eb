// SPDX-License-Identifier: GPL-2.0-only
//
// Entries of scalable mode have four words.
//
// file: tables.c
// breaks: ALIVE

@@
identifier w;
expression to, from, unit;
@@
- for (w = 0; w < takeover_entry_words(unit); w++)
+ for (w = 0; w < 1; w++)
  WRITE_ONCE(to[w], from[w]);
