// SPDX-License-Identifier: GPL-2.0-only
//
// PASIDs stay on.
//
// file: device.c
// breaks: FRESH

@@
expression dev, rid;
@@
- vtd_device_off(dev, rid, VTD_DEVICE_PASID);
+ ;
