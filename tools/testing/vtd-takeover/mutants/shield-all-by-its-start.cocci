// SPDX-License-Identifier: GPL-2.0-only
//
// A page that begins in forbidden memory has no other part.
//
// file: shield.c
// breaks: ALIVE

@@
expression size, i, start;
@@
- size <= shield[i].end - start
+ size != 0
