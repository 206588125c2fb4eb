// SPDX-License-Identifier: GPL-2.0-only
//
// A deaf handler has to leave the records.
//
// file: quiet.c
// breaks: CLOSED

@@
identifier unit;
@@
- if (unit->deaf) return true;
+ if (unit->deaf) return false;
