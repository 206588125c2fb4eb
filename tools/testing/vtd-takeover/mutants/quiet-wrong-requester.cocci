// SPDX-License-Identifier: GPL-2.0-only
//
// The neighbour is silenced, and the one that faults is not.
//
// file: quiet.c
// breaks: CLOSED

@@
identifier quietest, rid;
@@
- quietest->rid = rid;
+ quietest->rid = rid ^ 8;
