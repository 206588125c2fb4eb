// SPDX-License-Identifier: GPL-2.0-only
//
// A unit in caching mode knows that there was nothing.
//
// file: release.c
// breaks: EXPECT

@@
identifier unit, dev, rid;
@@
  static void release_blocked(struct takeover_unit *unit, struct device *dev, u16 rid)
  {
- vtd_inv_context(unit, 0, rid);
  settle(unit, dev, rid);
  }
