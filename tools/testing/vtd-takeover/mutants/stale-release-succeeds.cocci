// SPDX-License-Identifier: GPL-2.0-only
//
// A release is said to have succeeded at which the unit forgot nothing.
//
// file: release.c
// breaks: FRESH

@@
expression unit;
@@
  ret = vtd_visit_rids(...);
- if (READ_ONCE(unit->stale))
-   return -EIO;
