// SPDX-License-Identifier: GPL-2.0-only
//
// Pages of the old domains.
//
// file: release.c
// breaks: FRESH

@@
expression unit;
@@
  vtd_inv_pasid_all(unit);
- vtd_inv_iotlb_all(unit);
