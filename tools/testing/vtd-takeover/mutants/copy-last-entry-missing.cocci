// SPDX-License-Identifier: GPL-2.0-only
//
// Function 7 of device 31.
//
// file: tables.c
// breaks: EXPECT

@@
identifier i, words;
@@
- for (i = 0; i < VTD_TABLE_WORDS / words; i++)
+ for (i = 0; i + 1 < VTD_TABLE_WORDS / words; i++)
  adopt_entry(...);
