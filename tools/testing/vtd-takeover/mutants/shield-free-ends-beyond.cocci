// SPDX-License-Identifier: GPL-2.0-only
//
// What is around a good page is good, the range above it too.
//
// file: shield.c
// breaks: SHIELD

@@
expression free, i;
@@
- free->last = i < nr_shield ? shield[i].start - 1 : ~0ULL;
+ free->last = ~0ULL;
