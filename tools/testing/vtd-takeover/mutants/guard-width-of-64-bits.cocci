// SPDX-License-Identifier: GPL-2.0-only
//
// A unit that says it takes 64 bits is believed: a shift by as many.
//
// file: guard.c
// breaks: EXPECT
// tests: core

@@
expression width, guard;
@@
- width = min(width, guard->unit->address_bits);
