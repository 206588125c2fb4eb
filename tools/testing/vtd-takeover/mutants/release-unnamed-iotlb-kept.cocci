// SPDX-License-Identifier: GPL-2.0-only
//
// An id that no command can name still tags pages.
//
// file: release.c
// breaks: FRESH

@@
expression unit;
@@
  vtd_inv_context_all(unit);
- vtd_inv_iotlb_all(unit);
