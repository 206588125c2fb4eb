// SPDX-License-Identifier: GPL-2.0-only
//
// A unit that did not take a root table is waited for at each command.
//
// file: unit.c
// breaks: EXPECT
// tests: core

@@
symbol unit;
@@
- if (unit->state == TAKEOVER_DEAD)
- 	return -ETIMEDOUT;
  rtaddr = ...;
