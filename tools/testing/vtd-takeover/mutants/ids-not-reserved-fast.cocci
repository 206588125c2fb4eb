// SPDX-License-Identifier: GPL-2.0-only
//
// Entries that are like the one before have ids, too.
//
// file: tables.c
// breaks: TAGS

@@
expression unit, did;
@@
- takeover_keep_did(unit, did);
+ ;
