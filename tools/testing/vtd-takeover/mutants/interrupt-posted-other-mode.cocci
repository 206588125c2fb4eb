// SPDX-License-Identifier: GPL-2.0-only
//
// The destination in the descriptor is of the other mode.
//
// file: irte.c
// breaks: CLOSED

@@
expression unit, eim;
@@
- if (mode_differs(unit, eim))
- 	return "posted to a processor of the other mode";
