// SPDX-License-Identifier: GPL-2.0-only
//
// The enable bits take the state that is written.
//
// file: unit.c
// breaks: ACCESS

@@
expression unit, state;
@@
- vtd_write32(unit, VTD_REG_GCMD, state | VTD_GCMD_SRTP);
+ vtd_write32(unit, VTD_REG_GCMD, VTD_GCMD_SRTP);
