// SPDX-License-Identifier: GPL-2.0-only
//
// The device goes on asking, and its new driver knows of nothing.
//
// file: device.c
// breaks: FRESH

@@
expression dev, rid;
@@
- vtd_device_off(dev, rid, VTD_DEVICE_ATS);
