// SPDX-License-Identifier: GPL-2.0-only
//
// What firmware needs stays blocked.
//
// file: unit.c
// breaks: ALIVE

@@
expression unit;
@@
- takeover_admit_reserved(unit);
