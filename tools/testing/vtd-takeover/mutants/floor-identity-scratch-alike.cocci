// SPDX-License-Identifier: GPL-2.0-only
//
// A unit that cannot have a scratch page gets tables with one.
//
// file: guard.c
// breaks: EXPECT
// tests: core

@@
expression list es;
@@
- has_scratch(es) << 3
+ 0
