// SPDX-License-Identifier: GPL-2.0-only
//
// What this kernel has switched on is not the takeover's.
//
// file: release.c
// breaks: ACCESS

@@
identifier on;
expression dev, rid;
@@
- unsigned int on = vtd_device_off(dev, rid, 0);
+ unsigned int on = vtd_device_off(dev, rid, 0) | VTD_DEVICE_ATS;
