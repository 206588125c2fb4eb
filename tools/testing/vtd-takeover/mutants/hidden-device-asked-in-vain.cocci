// SPDX-License-Identifier: GPL-2.0-only
//
// Without a device-TLB there is nobody to answer.
//
// file: device.c
// breaks: ACCESS

@@
expression unit, rid, on;
@@
- on = on_by_entry(unit, rid);
+ on = VTD_DEVICE_ATS;
