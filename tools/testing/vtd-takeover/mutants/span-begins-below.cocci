// SPDX-License-Identifier: GPL-2.0-only
//
// A table that begins below the range that holds the end of it.
//
// file: tables.c
// breaks: WARY

@@
expression span;
@@
- (span->first + VTD_TABLE_SIZE - 1) & VTD_CTX_SSPTPTR
+ 0
