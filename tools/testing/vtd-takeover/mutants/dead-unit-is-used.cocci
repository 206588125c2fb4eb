// SPDX-License-Identifier: GPL-2.0-only
//
// A new mapping that the unit may never see.
//
// file: block.c
// breaks: SHIELD

@@
expression unit;
@@
- if (unit->state == TAKEOVER_DEAD)
- 	return -EIO;
