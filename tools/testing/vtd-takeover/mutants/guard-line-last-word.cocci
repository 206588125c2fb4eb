// SPDX-License-Identifier: GPL-2.0-only
//
// The last word of a cache line is never looked at.
//
// file: guard.c
// breaks: SHIELD

@@
expression blocks, line;
@@
- is_marked(blocks, line + 7)
+ 0
