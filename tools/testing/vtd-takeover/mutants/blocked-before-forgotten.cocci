// SPDX-License-Identifier: GPL-2.0-only
//
// What an earlier kdump kernel had blocked becomes an entry like that of nobody.
//
// file: tables.c
// breaks: EXPECT

@@
expression to, from;
@@
- WRITE_ONCE(to[0], from[0] & VTD_CTX_FPD);
+ WRITE_ONCE(to[0], 0);
