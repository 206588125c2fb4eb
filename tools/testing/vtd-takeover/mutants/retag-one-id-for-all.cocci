// SPDX-License-Identifier: GPL-2.0-only
//
// Two page tables under one id.
//
// file: tags.c
// breaks: TAGS

@@
expression unit, table;
@@
- unit->retagged_did && unit->retagged_table == table
+ unit->retagged_did
