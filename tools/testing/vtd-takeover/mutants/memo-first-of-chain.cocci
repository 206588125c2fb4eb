// SPDX-License-Identifier: GPL-2.0-only
//
// What is found is the first that is there.
//
// file: memo.c
// breaks: SHIELD

@@
expression node, i, key;
@@
- node->keys[i] ^ key
+ node->keys[i] & TAKEOVER_MEMO_VALUE
