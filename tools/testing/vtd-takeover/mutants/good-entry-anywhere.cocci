// SPDX-License-Identifier: GPL-2.0-only
//
// Like the last good entry in all but where it leads.
//
// file: tables.c
// breaks: WARY

@@
expression distance, good;
@@
- distance >= good->size
+ !good->size
