// SPDX-License-Identifier: GPL-2.0-only
//
// All of a window is its first page.
//
// file: window.c
// breaks: WARY
// tests: window

@@
expression window, addr;
@@
- window->at + (addr - window->span.first)
+ window->at + (addr & (VTD_TABLE_SIZE - 1))
