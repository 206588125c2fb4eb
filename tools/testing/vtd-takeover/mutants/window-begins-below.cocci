// SPDX-License-Identifier: GPL-2.0-only
//
// What lies below a window is read at a negative offset in it.
//
// file: window.c
// breaks: WARY
// tests: window

@@
expression window, addr;
@@
- !window->at || addr < window->span.first
+ !window->at
