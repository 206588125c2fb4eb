// SPDX-License-Identifier: GPL-2.0-only
//
// A walk of millions of tables keeps the processor to itself.
//
// file: guard.c
// breaks: EXPECT
// tests: core

@@
@@
- cond_resched();
