// SPDX-License-Identifier: GPL-2.0-only
//
// Noted for the neighbour.
//
// file: tables.c
// breaks: ALIVE

@@
expression rid, unit;
@@
- set_bit(rid, unit->adopted);
+ set_bit(rid ^ 1, unit->adopted);
