// SPDX-License-Identifier: GPL-2.0-only
//
// A table that was repaired is remembered as good.
//
// file: memo.c
// breaks: SHIELD

@@
expression places, key, value;
@@
- WRITE_ONCE(places[0], key | value);
+ WRITE_ONCE(places[0], key);
