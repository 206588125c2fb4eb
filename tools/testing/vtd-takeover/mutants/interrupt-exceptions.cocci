// SPDX-License-Identifier: GPL-2.0-only
//
// A device raises an exception.
//
// file: irte.c
// breaks: CLOSED

@@
expression vector;
@@
- vector < VTD_VECTOR_FIRST
+ vector < 1
