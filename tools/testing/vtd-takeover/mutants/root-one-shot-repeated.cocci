// SPDX-License-Identifier: GPL-2.0-only
//
// A status bit is taken for a command that was never meant.
//
// file: unit.c
// breaks: ACCESS

@@
typedef u32;
expression unit, state;
@@
- state = vtd_read32(unit, VTD_REG_GSTS) & ~(u32)VTD_GSTS_ONE_SHOT;
+ state = vtd_read32(unit, VTD_REG_GSTS);
