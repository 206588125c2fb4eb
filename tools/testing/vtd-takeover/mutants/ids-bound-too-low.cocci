// SPDX-License-Identifier: GPL-2.0-only
//
// The last id of the unit.
//
// file: tags.c
// breaks: TAGS

@@
expression unit, did;
@@
- did >= vtd_domain_ids(unit->cap)
+ did + 1 >= vtd_domain_ids(unit->cap)
