// SPDX-License-Identifier: GPL-2.0-only
//
// The device asks for pages when there is nobody to ask.
//
// file: device.c
// breaks: ACCESS

@@
expression dev, rid;
@@
- vtd_device_off(dev, rid, VTD_DEVICE_PRI);
+ ;
