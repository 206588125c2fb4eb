// SPDX-License-Identifier: GPL-2.0-only
//
// A device that is not released has its ATS switched off.
//
// file: device.c
// breaks: ALIVE

@@
expression dev, rid;
@@
takeover_make_forget(...)
{
<...
- vtd_device_off(dev, rid, 0)
+ vtd_device_off(dev, rid, VTD_DEVICE_ATS)
...>
}
