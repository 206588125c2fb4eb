// SPDX-License-Identifier: GPL-2.0-only
//
// A destination of one mode read in the other.
//
// file: irte.c
// breaks: ALIVE

@@
expression unit, eim, low;
@@
- if (mode_differs(unit, eim) && (eim ? to_x2apic(low) : to_xapic(low)))
- 	return ...;
