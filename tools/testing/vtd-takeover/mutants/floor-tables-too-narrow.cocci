// SPDX-License-Identifier: GPL-2.0-only
//
// Whoever passes through gets tables of 48 bits at most.
//
// file: guard.c
// breaks: FLOOR
// tests: floor

@@
expression bits, width;
symbol limit;
@@
- limit = BIT_ULL(min(bits, width));
+ limit = BIT_ULL(46);
