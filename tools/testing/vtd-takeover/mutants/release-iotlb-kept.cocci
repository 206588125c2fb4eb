// SPDX-License-Identifier: GPL-2.0-only
//
// Pages of the old domain.
//
// file: release.c
// breaks: FRESH

@@
expression unit, did;
@@
- vtd_inv_iotlb_domain(unit, did);
