// SPDX-License-Identifier: GPL-2.0-only
//
// Faults that cannot be silenced are not counted.
//
// file: quiet.c
// breaks: CLOSED

@@
expression unit, record;
statement S;
@@
- if (too_many_of_one(unit, record) || ++unit->nr_heard >= BURST_MAX) S
+ if (too_many_of_one(unit, record)) S
