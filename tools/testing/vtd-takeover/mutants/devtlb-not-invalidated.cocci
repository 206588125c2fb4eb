// SPDX-License-Identifier: GPL-2.0-only
//
// The device itself goes on with translations of before.
//
// file: device.c
// breaks: FRESH

@@
expression unit, dev, rid;
@@
- ret = tell(unit, dev, rid, false);
+ ret = 0;
