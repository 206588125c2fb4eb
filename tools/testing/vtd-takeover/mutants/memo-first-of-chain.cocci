// SPDX-License-Identifier: GPL-2.0-only
//
// What is found is the first that is there.
//
// file: memo.c
// breaks: SHIELD

@@
symbol kept, key;
@@
- kept ^ key
+ kept & TAKEOVER_MEMO_VALUE
