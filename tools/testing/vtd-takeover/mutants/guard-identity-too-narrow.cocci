// SPDX-License-Identifier: GPL-2.0-only
//
// A table in place of none ends where memory does not.
//
// file: guard.c
// breaks: ALIVE

@@
expression identity, base;
@@
- base >= identity->limit
+ base >= 1ULL << 32
