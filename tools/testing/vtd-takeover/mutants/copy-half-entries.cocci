// SPDX-License-Identifier: GPL-2.0-only
//
// Width and domain id are in the second word.
//
// file: tables.c
// breaks: ALIVE

@@
expression to, from;
@@
- WRITE_ONCE(to[1], from[1]);
