// SPDX-License-Identifier: GPL-2.0-only
//
// While devices are asked the unit goes by nobody knows which root table.
//
// file: unit.c
// breaks: SHIELD

@@
symbol unit;
@@
- unit->state = TAKEOVER_INSTALLED;
  if (!(unit->cap & VTD_CAP_ESRTPS))
  	takeover_forget_all(unit);
  if (...) { ... }
+ unit->state = TAKEOVER_INSTALLED;
  return 0;
