// SPDX-License-Identifier: GPL-2.0-only
//
// The first new domain gets an id of the crashed kernel.
//
// file: tags.c
// breaks: TAGS

@@
expression unit, i;
@@
- vtd_reserve_dids(unit, i * BITS_PER_LONG, unit->dids[i]);
+ ;
