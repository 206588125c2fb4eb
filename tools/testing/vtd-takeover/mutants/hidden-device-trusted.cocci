// SPDX-License-Identifier: GPL-2.0-only
//
// Extended configuration space that cannot be read says nothing of ATS.
//
// file: device.c
// breaks: SHIELD

@@
expression on, unit, rid;
@@
- if (on & VTD_DEVICE_HIDDEN)
- 	on = on_by_entry(unit, rid);
