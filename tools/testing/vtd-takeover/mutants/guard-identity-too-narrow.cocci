// SPDX-License-Identifier: GPL-2.0-only
//
// A table in place of none ends where memory does not.
//
// file: guard.c
// breaks: ALIVE

@@
expression top, guard, f, levels;
identifier bits;
@@
- identity_word(guard, f, levels + 1, 0, 1ULL << bits, top)
+ identity_word(guard, f, levels + 1, 0, 1ULL << 32, top)
