// SPDX-License-Identifier: GPL-2.0-only
//
// Faults of a device that lost its mappings are recorded.
//
// file: release.c
// breaks: CLOSED

@@
identifier entry;
expression unit, rid;
@@
- entry = hide_entry(unit, rid, VTD_CTX_FPD);
+ entry = hide_entry(unit, rid, 0);
- clear_entry(unit, rid, entry, VTD_CTX_FPD);
+ clear_entry(unit, rid, entry, 0);
