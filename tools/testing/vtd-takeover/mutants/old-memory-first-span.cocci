// SPDX-License-Identifier: GPL-2.0-only
//
// What is true of an address is true of all below it.
//
// file: oldmem.c
// breaks: WARY

@@
expression span, i;
@@
- span->first = max(oldmem[i].start, 1ULL);
+ span->first = 1;
