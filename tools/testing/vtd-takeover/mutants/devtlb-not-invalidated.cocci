// SPDX-License-Identifier: GPL-2.0-only
//
// The device itself goes on with translations of before.
//
// file: device.c
// breaks: FRESH

@@
expression unit, dev, rid;
@@
- vtd_inv_devtlb(unit, dev, rid, false);
