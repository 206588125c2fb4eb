// SPDX-License-Identifier: GPL-2.0-only
//
// A page into forbidden memory that cannot be split speaks for nobody.
//
// file: guard.c
// breaks: EXPECT
// tests: core

@@
symbol guard, table;
@@
- guard->suspect = true;
  table = new_copy(guard);
