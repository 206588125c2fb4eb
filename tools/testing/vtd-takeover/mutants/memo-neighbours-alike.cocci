// SPDX-License-Identifier: GPL-2.0-only
//
// Pages side by side are one table.
//
// file: memo.c
// breaks: ALIVE

@@
symbol kept, key;
@@
- kept ^ key
+ (kept ^ key) & ~TAKEOVER_MEMO_NEAR
