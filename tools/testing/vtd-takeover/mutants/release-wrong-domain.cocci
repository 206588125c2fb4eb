// SPDX-License-Identifier: GPL-2.0-only
//
// The pages of another domain are dropped.
//
// file: release.c
// breaks: FRESH

@@
expression unit, did;
@@
- vtd_inv_iotlb_domain(unit, did);
+ vtd_inv_iotlb_domain(unit, did + 1);
