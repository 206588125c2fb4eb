// SPDX-License-Identifier: GPL-2.0-only
//
// Poison is taken for what a table holds.
//
// file: window.c
// breaks: WARY
// tests: window

@@
expression dst, src, size;
@@
- copy_mc_to_kernel(dst, src, size) ? -EIO : 0
+ copy_mc_to_kernel(dst, src, size) * 0
