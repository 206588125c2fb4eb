// SPDX-License-Identifier: GPL-2.0-only
//
// What a device learnt with a PASID is not what it learnt without one.
//
// file: device.c
// breaks: SHIELD

@@
expression unit, dev, rid;
@@
- tell(unit, dev, rid, true)
+ tell(unit, dev, rid, false)
