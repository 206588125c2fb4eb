// SPDX-License-Identifier: GPL-2.0-only
//
// Each unit takes half of what there was at the beginning.
//
// file: guard.c
// breaks: EXPECT
// tests: core

@@
symbol guard;
@@
- guard->unit->pool->left -= guard->budget.used;
