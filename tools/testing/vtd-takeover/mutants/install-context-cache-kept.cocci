// SPDX-License-Identifier: GPL-2.0-only
//
// Dropped and blocked entries are still cached.
//
// file: unit.c
// breaks: FRESH

@@
expression unit;
@@
- vtd_inv_context_all(unit);
  if (unit->scalable)
  	vtd_inv_pasid_all(unit);
