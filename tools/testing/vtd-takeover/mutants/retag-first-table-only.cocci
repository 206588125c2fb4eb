// SPDX-License-Identifier: GPL-2.0-only
//
// The directory goes on.
//
// file: pasid.c
// breaks: TAGS

@@
expression copied, i;
@@
- __set_bit(i, copied);
+ { __set_bit(i, copied); break; }
