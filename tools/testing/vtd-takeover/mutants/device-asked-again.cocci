// SPDX-License-Identifier: GPL-2.0-only
//
// A device that hangs is told all that a healthy one is told, with a time-out for each command.
//
// file: device.c
// breaks: EXPECT

@@
expression unit, rid;
@@
- if (takeover_is_silent(unit, rid))
- 	return -ETIMEDOUT;
