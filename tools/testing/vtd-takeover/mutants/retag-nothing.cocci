// SPDX-License-Identifier: GPL-2.0-only
//
// An old page table goes on under the id of new pass-through entries.
//
// file: tags.c
// breaks: TAGS

@@
expression unit;
@@
- retag(unit);
+ ;
