// SPDX-License-Identifier: GPL-2.0-only
//
// An entry is adopted although not all of its ids are known.
//
// file: tables.c
// breaks: TAGS

@@
expression ret;
@@
- return !ret;
+ return ret || !ret;
