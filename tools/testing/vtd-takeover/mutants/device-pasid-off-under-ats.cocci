// SPDX-License-Identifier: GPL-2.0-only
//
// PCIe 7.8.9.3: not while ATS is on.
//
// file: device.c
// breaks: ACCESS

@@
expression unit, dev, rid;
identifier on;
@@
  forget_translations(unit, dev, rid, on & VTD_DEVICE_PASID);
- vtd_device_off(dev, rid, VTD_DEVICE_ATS);
+ vtd_device_off(dev, rid, on & VTD_DEVICE_PASID);
+ vtd_device_off(dev, rid, VTD_DEVICE_ATS);
