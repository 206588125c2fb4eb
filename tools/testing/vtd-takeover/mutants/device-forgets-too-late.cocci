// SPDX-License-Identifier: GPL-2.0-only
//
// A device answers while its ATS is on.
//
// file: device.c
// breaks: FRESH

@@
expression unit, dev, rid, what;
@@
- forget_translations(unit, dev, rid, what);
- vtd_device_off(dev, rid, VTD_DEVICE_ATS);
+ vtd_device_off(dev, rid, VTD_DEVICE_ATS);
+ forget_translations(unit, dev, rid, what);
