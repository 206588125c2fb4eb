// SPDX-License-Identifier: GPL-2.0-only
//
// A table that was repaired is remembered as good.
//
// file: memo.c
// breaks: SHIELD

@@
symbol memo, chain, key, value;
@@
  put_key(memo, chain,
- key | value
+ key
  );
