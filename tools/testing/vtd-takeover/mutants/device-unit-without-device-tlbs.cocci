// SPDX-License-Identifier: GPL-2.0-only
//
// A command that the unit does not know stops its queue.
//
// file: device.c
// breaks: ACCESS

@@
expression unit;
@@
- if (!(unit->ecap & VTD_ECAP_DT))
- 	return 0;
