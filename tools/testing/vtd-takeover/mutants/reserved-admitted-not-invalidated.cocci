// SPDX-License-Identifier: GPL-2.0-only
//
// A unit in caching mode knows that there was nothing.
//
// file: block.c
// breaks: ALIVE

@@
identifier unit;
@@
  void takeover_admit_reserved(struct takeover_unit *unit)
  {
  ...
- takeover_forget_all(unit);
  }
