// SPDX-License-Identifier: GPL-2.0-only
//
// What is true of an address is true of all above it.
//
// file: oldmem.c
// breaks: WARY

@@
expression span, i, size;
@@
- span->last = oldmem[i].end - size;
+ span->last = ~0ULL - VTD_TABLE_SIZE;
