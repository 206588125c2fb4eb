// SPDX-License-Identifier: GPL-2.0-only
//
// What lies below the old RAM.
//
// file: oldmem.c
// breaks: WARY

@@
expression i;
@@
- addr >= oldmem[i].start
+ addr
