// SPDX-License-Identifier: GPL-2.0-only
//
// In scalable mode a bus has two tables.
//
// file: tables.c
// breaks: ALIVE

@@
expression unit;
@@
- return unit->scalable ? 2 : 1;
+ return 1;
