// SPDX-License-Identifier: GPL-2.0-only
//
// Nobody knows that there is something to release.
//
// file: tables.c
// breaks: ALIVE

@@
expression rid, unit;
@@
- set_bit(rid, unit->adopted);
  unit->nr_adopted++;
