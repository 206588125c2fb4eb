// SPDX-License-Identifier: GPL-2.0-only
//
// A unit's copies of PASID tables take nothing from what all units share.
//
// file: pasid.c
// breaks: EXPECT
// tests: core

@@
expression unit;
@@
- unit->pool->left--;
