// SPDX-License-Identifier: GPL-2.0-only
//
// Early in boot there is no process to kill for a page: the kernel panics.
//
// file: guard.c
// breaks: FLOOR
// tests: floor

@@
expression budget;
@@
- vtd_alloc_table(budget->unit, TAKEOVER_GFP)
+ vtd_alloc_table(budget->unit, GFP_KERNEL)
