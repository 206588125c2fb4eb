// SPDX-License-Identifier: GPL-2.0-only
//
// The driver finds no id.
//
// file: tags.c
// breaks: CRASH

@@
expression unit, rid;
@@
- takeover_evict_rid(unit, rid);
