// SPDX-License-Identifier: GPL-2.0-only
//
// The device remembers what it was told before it was blocked.
//
// file: release.c
// breaks: FRESH

@@
identifier unit, dev, rid;
@@
  static void release_blocked(struct takeover_unit *unit, struct device *dev, u16 rid)
  {
  vtd_inv_context(unit, 0, rid);
- settle(unit, dev, rid);
  }
