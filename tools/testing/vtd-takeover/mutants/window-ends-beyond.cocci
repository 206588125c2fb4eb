// SPDX-License-Identifier: GPL-2.0-only
//
// What begins in a window is read to its end, which may be another window.
//
// file: window.c
// breaks: WARY
// tests: window

@@
expression window, addr, size;
@@
- window->span.last - addr < size - 1
+ 0
