// SPDX-License-Identifier: GPL-2.0-only
//
// Pages side by side are one table.
//
// file: memo.c
// breaks: SHIELD

@@
expression node, i, key;
@@
- node->keys[i] ^ key
+ (node->keys[i] ^ key) & ~TAKEOVER_MEMO_NEAR
