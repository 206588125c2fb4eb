// SPDX-License-Identifier: GPL-2.0-only
//
// The next owner of the index is sent what was meant for the last one.
//
// file: irte.c
// breaks: CLOSED

@@
expression unit, index;
@@
- vtd_reserve_irte(unit, index);
