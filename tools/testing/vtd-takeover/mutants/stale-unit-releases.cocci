// SPDX-License-Identifier: GPL-2.0-only
//
// A device is released from what the unit cannot be made to forget.
//
// file: release.c
// breaks: EXPECT
// tests: core

@@
expression unit;
@@
- unit->state == TAKEOVER_DEAD || READ_ONCE(unit->stale)
+ unit->state == TAKEOVER_DEAD
