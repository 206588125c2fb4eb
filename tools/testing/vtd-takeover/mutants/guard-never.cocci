// SPDX-License-Identifier: GPL-2.0-only
//
// All that the old tables say is believed.
//
// file: guard.c
// breaks: SHIELD

@@
expression unit;
@@
- if (unit->unguarded)
-   return;
+ return;
