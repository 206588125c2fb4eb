// SPDX-License-Identifier: GPL-2.0-only
//
// With the last changes those of others are taken back.
//
// file: tags.c
// breaks: TAGS

@@
expression unit, number;
@@
- unit->nr_later > number
+ unit->nr_later
