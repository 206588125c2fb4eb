// SPDX-License-Identifier: GPL-2.0-only
//
// What Linux does in scalable mode: takes the domain id from where legacy mode has it.
//
// file: tables.c
// breaks: TAGS

@@
expression unit, entry, rid;
@@
- if (unit->scalable)
- 	return pasids_are_known(unit, entry, rid);
