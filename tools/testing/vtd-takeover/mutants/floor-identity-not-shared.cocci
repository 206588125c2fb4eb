// SPDX-License-Identifier: GPL-2.0-only
//
// Each unit has a table of its own in place of none.
//
// file: guard.c
// breaks: FLOOR
// tests: floor

@@
symbol pool, i, key;
@@
- !pool->identities[i].key || pool->identities[i].key == key
+ (pool->identities[i].key = 0, true)
