// SPDX-License-Identifier: GPL-2.0-only
//
// An id may still tag pages of its last owner.
//
// file: unit.c
// breaks: ALIVE

@@
expression unit, root;
@@
  takeover_map_reserved(unit);
+ takeover_admit_reserved(unit);
  vtd_flush_lines(root, VTD_TABLE_SIZE);
