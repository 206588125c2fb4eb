// SPDX-License-Identifier: GPL-2.0-only
//
// The unit puts nothing in a queue that ran over until it is told.
//
// file: prq.c
// breaks: EXPECT

@@
expression unit;
@@
- vtd_write32(unit, VTD_REG_PRS, VTD_PRS_PRO);
