// SPDX-License-Identifier: GPL-2.0-only
//
// A pass-through entry leads to no table, and its pointer is nothing.
//
// file: tables.c
// breaks: ALIVE

@@
expression unit, entry;
@@
- if (!unit->scalable &&
-     FIELD_GET(VTD_CTX_TT, entry[0]) == VTD_TT_PASS_THROUGH)
- 	return true;
