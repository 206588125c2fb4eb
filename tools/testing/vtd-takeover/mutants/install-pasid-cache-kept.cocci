// SPDX-License-Identifier: GPL-2.0-only
//
// PASID entries of devices that are dropped.
//
// file: unit.c
// breaks: SHIELD

@@
expression unit;
@@
- if (unit->scalable)
- 	vtd_inv_pasid_all(unit);
