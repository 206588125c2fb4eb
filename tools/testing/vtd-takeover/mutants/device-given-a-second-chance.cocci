// SPDX-License-Identifier: GPL-2.0-only
//
// What a device did not answer is queued once more: another time-out.
//
// file: device.c
// breaks: EXPECT

@@
expression unit, rid, aborts;
@@
  aborts < TAKEOVER_ABORTS_MAX
- && !(READ_ONCE(unit->asks) && unit->asked == rid)
