// SPDX-License-Identifier: GPL-2.0-only
//
// A part that is large, too, becomes a pointer to a table.
//
// file: guard.c
// breaks: ALIVE

@@
expression level;
@@
- level - 1 > 1
+ level - 1 > 2
