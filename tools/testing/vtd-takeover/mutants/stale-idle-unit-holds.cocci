// SPDX-License-Identifier: GPL-2.0-only
//
// Devices of a unit not taken over cannot be attached when it forgets nothing.
//
// file: release.c
// breaks: EXPECT
// tests: core

@@
expression unit;
@@
- if (!unit->root)
+ if (!unit->root && !unit->stale)
  	return 0;
