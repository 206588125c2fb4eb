// SPDX-License-Identifier: GPL-2.0-only
//
// What a unit that was not taken over has of the driver's root table stays in its caches.
//
// file: unit.c
// breaks: EXPECT
// tests: core

@@
symbol unit, rtaddr;
@@
- unit->state == TAKEOVER_FOUND && rtaddr == unit->rtaddr
+ unit->state != TAKEOVER_INSTALLED && rtaddr == unit->rtaddr
