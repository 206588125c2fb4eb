// SPDX-License-Identifier: GPL-2.0-only
//
// Faults of a device that lost its mappings are recorded.
//
// file: release.c
// breaks: CLOSED

@@
expression unit, rid;
@@
- end_entry(unit, NULL, rid, VTD_CTX_FPD);
+ end_entry(unit, NULL, rid, 0);
