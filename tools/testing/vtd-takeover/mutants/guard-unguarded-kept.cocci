// SPDX-License-Identifier: GPL-2.0-only
//
// A device whose tables take too much is let through.
//
// file: guard.c
// breaks: SHIELD

@@
expression unit, rid, entry, ret, text;
@@
- takeover_drop_entry(unit, rid, entry, text, ret);
+ ;
