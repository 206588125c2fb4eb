// SPDX-License-Identifier: GPL-2.0-only
//
// What passed through could write.
//
// file: guard.c
// breaks: ALIVE

@@
expression base, f, level;
@@
- base | all_rights(f) |
+ base | VTD_SS_READ |
  (level > 1 ? VTD_PAGE_LARGE : 0)
