// SPDX-License-Identifier: GPL-2.0-only
//
// What was let in before the queue was full, and is not in it yet.
//
// file: prq.c
// breaks: ALIVE

@@
expression unit;
@@
- unit->ecap & VTD_ECAP_PDS
+ 0
