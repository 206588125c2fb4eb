// SPDX-License-Identifier: GPL-2.0-only
//
// What is around a good page is good, the range below it too.
//
// file: shield.c
// breaks: SHIELD

@@
expression free, i;
@@
- free->first = i ? shield[i - 1].end : 0;
+ free->first = 0;
