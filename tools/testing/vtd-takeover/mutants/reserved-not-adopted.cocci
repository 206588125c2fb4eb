// SPDX-License-Identifier: GPL-2.0-only
//
// Its mapping of reserved memory outlives the first mapping of its driver.
//
// file: block.c
// breaks: FRESH

@@
expression rid, unit;
@@
- set_bit(rid, unit->adopted);
  set_bit(rid, unit->confined);
