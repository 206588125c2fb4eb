// SPDX-License-Identifier: GPL-2.0-only
//
// While devices are asked others write to the tables already, and nobody holds the lock.
//
// file: unit.c
// breaks: ACCESS

@@
symbol unit, again;
@@
  takeover_install(...)
  {
  ...
+ unit->state = TAKEOVER_INSTALLED;
  if (!again) { ... }
- unit->state = TAKEOVER_INSTALLED;
  return 0;
  }
