// SPDX-License-Identifier: GPL-2.0-only
//
// Blocked in name only.
//
// file: tables.c
// breaks: FRESH

@@
expression to, unit;
@@
- WRITE_ONCE(to[0], VTD_CTX_FPD);
+ WRITE_ONCE(to[0], from[0]);
  unit->nr_dropped++;
