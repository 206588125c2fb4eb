// SPDX-License-Identifier: GPL-2.0-only
//
// A table of five levels is walked as one of four.
//
// file: guard.c
// breaks: SHIELD

@@
@@
- levels = 5;
+ levels = 4;
