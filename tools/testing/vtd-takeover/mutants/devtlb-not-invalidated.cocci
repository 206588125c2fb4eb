// SPDX-License-Identifier: GPL-2.0-only
//
// The device itself goes on with translations of before.
//
// file: release.c
// breaks: FRESH

@@
expression unit, dev, rid, did;
@@
  forget_entry(unit, rid, did);
- if (dev)
- 	vtd_inv_devtlb(unit, dev, rid);
