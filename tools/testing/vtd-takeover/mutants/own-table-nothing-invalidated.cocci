// SPDX-License-Identifier: GPL-2.0-only
//
// A unit in caching mode knows the entry of the shared table.
//
// file: block.c
// breaks: EXPECT

@@
expression unit;
@@
- if (unit->state == TAKEOVER_INSTALLED)
+ if (unit->state == TAKEOVER_DEAD)
  	{ ... }
