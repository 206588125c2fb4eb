// SPDX-License-Identifier: GPL-2.0-only
//
// Units that do not let write-only pages be asked for have some.
//
// file: guard.c
// breaks: ALIVE

@@
expression unit, f, level;
@@
- unit->quarantine == TAKEOVER_SCRATCH &&
-	       f == SECOND_STAGE && level <= VTD_LARGE_LEVELS &&
-	       (unit->cap & VTD_CAP_ZLR)
+ unit->quarantine == TAKEOVER_SCRATCH &&
+	       f == SECOND_STAGE && level <= VTD_LARGE_LEVELS
