// SPDX-License-Identifier: GPL-2.0-only
//
// A device is blocked whose id others use: that frees nothing.
//
// file: tags.c
// breaks: EXPECT

@@
expression use, unit;
@@
- !may_evict(unit, &use) || test_bit(use.did, unit->pool->shared)
+ !may_evict(unit, &use)
