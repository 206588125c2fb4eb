// SPDX-License-Identifier: GPL-2.0-only
//
// The entry itself is cached, too.
//
// file: release.c
// breaks: FRESH

@@
expression unit, rid;
@@
- vtd_inv_context(unit, 0, rid);
  vtd_inv_pasid_all(unit);
