// SPDX-License-Identifier: GPL-2.0-only
//
// What one unit had no memory for no other one tries.
//
// file: guard.c
// breaks: EXPECT
// tests: core

@@
symbol ret, poor;
@@
- if (ret && poor)
- 	return ret;
