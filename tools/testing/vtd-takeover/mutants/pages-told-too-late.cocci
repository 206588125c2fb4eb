// SPDX-License-Identifier: GPL-2.0-only
//
// What came before is never told of.
//
// file: prq.c
// breaks: ALIVE

@@
expression unit;
@@
- VTD_PRS_PRO
+ VTD_PRS_PRO | VTD_PRS_PPR
