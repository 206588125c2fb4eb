// SPDX-License-Identifier: GPL-2.0-only
//
// Nobody is told that the caches could not be emptied.
//
// file: unit.c
// breaks: FRESH

@@
expression unit;
@@
- WRITE_ONCE(unit->stale, true);
+ ;
