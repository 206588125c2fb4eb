// SPDX-License-Identifier: GPL-2.0-only
//
// The ids of a context table that there is no page for are given to others, while hardware still
// goes by it.
//
// file: tables.c
// breaks: ALIVE

@@
expression unit, old, first, words;
@@
- note_ids(unit, old, first, words);
