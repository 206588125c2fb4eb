// SPDX-License-Identifier: GPL-2.0-only
//
// Copies of PASID tables of one unit take all that units share.
//
// file: pasid.c
// breaks: EXPECT
// tests: core

@@
expression unit;
@@
- unit->nr_copies >= unit->pool->left
+ !unit->pool->left
