// SPDX-License-Identifier: GPL-2.0-only
//
// What is found is the first that is there, whichever table it is of.
//
// file: memo.c
// breaks: SHIELD

@@
symbol places, i, key;
@@
- (places[i] ^ key) <= TAKEOVER_MEMO_VALUE
+ places[i]
