// SPDX-License-Identifier: GPL-2.0-only
//
// A device keeps what it learnt with a PASID.
//
// file: device.c
// breaks: SHIELD

@@
@@
takeover_make_forget(...)
{
<...
- forget_translations(unit, dev, rid, on & VTD_DEVICE_PASID)
+ forget_translations(unit, dev, rid, false)
...>
}
