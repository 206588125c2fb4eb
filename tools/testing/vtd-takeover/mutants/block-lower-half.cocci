// SPDX-License-Identifier: GPL-2.0-only
//
// In scalable mode a bus has two tables.
//
// file: block.c
// breaks: CLOSED

@@
expression half, unit, word;
@@
- !half || unit->scalable ? word : 0
+ !half ? word : 0
