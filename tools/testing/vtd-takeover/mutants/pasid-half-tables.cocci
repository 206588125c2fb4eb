// SPDX-License-Identifier: GPL-2.0-only
//
// The upper half of a table.
//
// file: pasid.c
// breaks: TAGS

@@
expression unit, rid, addr;
@@
- reserve_ids(unit, rid, addr, VTD_PASIDS_PER_TABLE)
+ reserve_ids(unit, rid, addr, VTD_PASIDS_PER_TABLE / 2)
