// SPDX-License-Identifier: GPL-2.0-only
//
// A device is not asked to forget.
//
// file: device.c
// breaks: SHIELD

@@
expression on;
@@
  takeover_make_forget(...)
  {
  <...
- on & VTD_DEVICE_ATS
+ false
  ...>
  }
