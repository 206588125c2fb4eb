// SPDX-License-Identifier: GPL-2.0-only
//
// The mode of the tables changes while translation is on.
//
// file: unit.c
// breaks: ACCESS

@@
expression unit, mode;
@@
- virt_to_phys(unit->root) | FIELD_PREP(VTD_RTADDR_TTM, mode)
+ virt_to_phys(unit->root)
