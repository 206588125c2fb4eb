// SPDX-License-Identifier: GPL-2.0-only
//
// What lies below a guest's tables is not walked.
//
// file: guard.c
// breaks: SHIELD

@@
expression ret, guard, entry;
@@
- ret = guard_second_stage(guard, entry);
+ if (FIELD_GET(VTD_PTE_PGTT, entry[0]) == VTD_PGTT_NESTED)
+ return 0;
+ ret = guard_second_stage(guard, entry);
