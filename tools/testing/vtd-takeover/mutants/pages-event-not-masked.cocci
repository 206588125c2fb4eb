// SPDX-License-Identifier: GPL-2.0-only
//
// The message goes to a vector of the crashed kernel's.
//
// file: unit.c
// breaks: CLOSED

@@
expression unit;
@@
- vtd_write32(unit, VTD_REG_PECTL, VTD_PECTL_IM);
+ ;
