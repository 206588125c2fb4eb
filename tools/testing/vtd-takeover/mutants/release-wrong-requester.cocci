// SPDX-License-Identifier: GPL-2.0-only
//
// The entry of the neighbour is dropped.
//
// file: release.c
// breaks: FRESH

@@
expression unit, did, rid;
@@
- vtd_inv_context(unit, did, rid);
+ vtd_inv_context(unit, did, rid ^ 1);
  vtd_inv_iotlb_domain(unit, did);
