// SPDX-License-Identifier: GPL-2.0-only
//
// Firmware loses its reserved memory with a device that software has unplugged.
//
// file: release.c
// breaks: EXPECT

@@
expression unit, rid;
@@
- takeover_is_spared(unit, rid)
+ false
