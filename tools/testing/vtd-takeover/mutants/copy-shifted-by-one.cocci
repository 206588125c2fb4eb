// SPDX-License-Identifier: GPL-2.0-only
//
// Each device gets the entry of the next one.
//
// file: tables.c
// breaks: ALIVE

@@
expression table, i, words, old;
@@
- adopt_entry(unit, table + i * words, old + i * words,
+ adopt_entry(unit, table + (i ^ 1) * words, old + i * words,
  ...);
