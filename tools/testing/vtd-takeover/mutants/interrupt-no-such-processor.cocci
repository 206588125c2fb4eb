// SPDX-License-Identifier: GPL-2.0-only
//
// An id with more bits than xAPIC mode has.
//
// file: irte.c
// breaks: CLOSED

@@
expression id;
@@
- if (id >= VTD_XAPIC_BROADCAST)
- 	return -ERANGE;
