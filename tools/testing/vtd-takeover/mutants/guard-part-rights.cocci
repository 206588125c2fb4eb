// SPDX-License-Identifier: GPL-2.0-only
//
// Parts of a page that was read-only can be written.
//
// file: guard.c
// breaks: ALIVE

@@
expression word, base, n, level;
identifier part;
@@
- u64 part = (word & ~VTD_SS_ADDR) | (base + n * size_of_page(level - 1));
+ u64 part = (word & ~VTD_SS_ADDR) | VTD_SS_WRITE | (base + n * size_of_page(level - 1));
