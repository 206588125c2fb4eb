// SPDX-License-Identifier: GPL-2.0-only
//
// While devices are asked, the unit goes by nobody knows which root table.
//
// file: unit.c
// breaks: SHIELD

@@
symbol unit, rtaddr;
@@
- unit->state == TAKEOVER_FOUND && rtaddr == unit->rtaddr
+ unit->state == TAKEOVER_FOUND
