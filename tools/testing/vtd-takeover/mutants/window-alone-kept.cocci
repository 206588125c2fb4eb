// SPDX-License-Identifier: GPL-2.0-only
//
// What is mapped alone stays mapped.
//
// file: window.c
// breaks: WARY
// tests: window

@@
identifier page;
@@
  void *page = memremap(...);
  ...
- memunmap(page);
