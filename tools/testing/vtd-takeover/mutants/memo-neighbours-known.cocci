// SPDX-License-Identifier: GPL-2.0-only
//
// All tables near to one that is good are good.
//
// file: memo.c
// breaks: SHIELD

@@
symbol kept, key;
@@
- kept & nearby_bit(key) ? 0 : -ENOENT
+ 0
