// SPDX-License-Identifier: GPL-2.0-only
//
// Pages of domains that are gone, under ids that are given again.
//
// file: unit.c
// breaks: TAGS

@@
expression unit;
@@
  if (unit->scalable)
  	vtd_inv_pasid_all(unit);
- vtd_inv_iotlb_all(unit);
