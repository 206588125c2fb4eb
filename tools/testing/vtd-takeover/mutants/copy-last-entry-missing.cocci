// SPDX-License-Identifier: GPL-2.0-only
//
// Function 7 of device 31.
//
// file: tables.c
// breaks: ALIVE

@@
identifier i;
expression unit;
@@
- for (i = 0; i < entries_per_table(unit); i++)
+ for (i = 0; i + 1 < entries_per_table(unit); i++)
  { ... }
