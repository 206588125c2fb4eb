// SPDX-License-Identifier: GPL-2.0-only
//
// A unit that may yet go by the old tables is used as if it could not.
//
// file: unit.c
// breaks: FRESH

@@
expression unit;
@@
- unit->state = TAKEOVER_DEAD;
+ unit->state = TAKEOVER_INSTALLED;
