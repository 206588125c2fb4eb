// SPDX-License-Identifier: GPL-2.0-only
//
// In scalable mode a PASID entry is a cache of its own.
//
// file: release.c
// breaks: FRESH

@@
expression unit;
@@
- vtd_inv_pasid_all(unit);
