// SPDX-License-Identifier: GPL-2.0-only
//
// A window that makes room for another stays mapped.
//
// file: window.c
// breaks: WARY
// tests: window

@@
expression window;
@@
  if (!takeover_oldmem_window(...))
    return NULL;
- close_window(window);
