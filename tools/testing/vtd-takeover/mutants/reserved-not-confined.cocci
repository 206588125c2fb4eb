// SPDX-License-Identifier: GPL-2.0-only
//
// Nobody admits it.
//
// file: block.c
// breaks: ALIVE

@@
expression rid, unit;
@@
- set_bit(rid, unit->confined);
