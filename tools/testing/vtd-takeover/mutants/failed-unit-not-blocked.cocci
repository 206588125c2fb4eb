// SPDX-License-Identifier: GPL-2.0-only
//
// An empty root table faults aloud.
//
// file: unit.c
// breaks: CLOSED

@@
expression unit, ret, mode;
@@
- if (ret || mode != TAKEOVER_ADOPT)
+ if (mode != TAKEOVER_ADOPT)
  	takeover_block_unit(unit);
