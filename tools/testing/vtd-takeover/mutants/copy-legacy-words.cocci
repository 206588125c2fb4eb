// SPDX-License-Identifier: GPL-2.0-only
//
// Entries of scalable mode have four words.
//
// file: tables.c
// breaks: ALIVE

@@
expression unit;
@@
- return unit->scalable ? VTD_SM_CTX_WORDS : VTD_CTX_WORDS;
+ return VTD_CTX_WORDS;
