// SPDX-License-Identifier: GPL-2.0-only
//
// A unit gets tables with pages of a size that it does not know.
//
// file: guard.c
// breaks: EXPECT
// tests: core

@@
symbol pages;
@@
- pages << 4
+ 0
