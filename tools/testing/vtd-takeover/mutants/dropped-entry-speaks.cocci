// SPDX-License-Identifier: GPL-2.0-only
//
// A storm of faults from a device that nobody stops.
//
// file: tables.c
// breaks: EXPECT

@@
expression to, unit;
@@
- WRITE_ONCE(to[0], VTD_CTX_FPD);
  unit->nr_dropped++;
