// SPDX-License-Identifier: GPL-2.0-only
//
// A fault is recorded for each.
//
// file: irte.c
// breaks: CLOSED

@@
expression entry;
@@
- write_entry(entry, VTD_IRTE_FPD, 0);
+ write_entry(entry, 0, 0);
