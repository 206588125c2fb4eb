// SPDX-License-Identifier: GPL-2.0-only
//
// What is found is the first that is there, which may be no number of a copy.
//
// file: memo.c
// breaks: CRASH

@@
symbol kept, key;
@@
- kept ^ key
+ kept & TAKEOVER_MEMO_VALUE
