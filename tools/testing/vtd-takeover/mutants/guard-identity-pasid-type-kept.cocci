// SPDX-License-Identifier: GPL-2.0-only
//
// The PASID entry has a table, and lets through all the same.
//
// file: guard.c
// breaks: SHIELD

@@
expression aw, top, words;
@@
- words[0] |= top | FIELD_PREP(VTD_PTE_AW, aw) |
-			    FIELD_PREP(VTD_PTE_PGTT, VTD_PGTT_SECOND_STAGE);
+ words[0] |= top | FIELD_PREP(VTD_PTE_AW, aw) |
+			    FIELD_PREP(VTD_PTE_PGTT, VTD_PGTT_PASS_THROUGH);
