// SPDX-License-Identifier: GPL-2.0-only
//
// A device is not asked to forget.
//
// file: device.c
// breaks: SHIELD

@@
@@
takeover_make_forget(...)
{
<...
- if (on & VTD_DEVICE_ATS)
-   forget_translations(unit, dev, rid, on & VTD_DEVICE_PASID);
...>
}
