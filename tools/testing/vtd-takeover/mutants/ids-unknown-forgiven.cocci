// SPDX-License-Identifier: GPL-2.0-only
//
// Ids of a table that could not be read are given to others, while hardware still goes by it.
//
// file: tags.c
// breaks: ALIVE

@@
expression unit, rid;
@@
- unit->ids_unknown ? -ENODATA : takeover_new_did(unit, rid)
+ takeover_new_did(unit, rid)
