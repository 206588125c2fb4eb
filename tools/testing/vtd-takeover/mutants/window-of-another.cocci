// SPDX-License-Identifier: GPL-2.0-only
//
// A window that takes the place of another is believed to be that one.
//
// file: window.c
// breaks: WARY
// tests: window

@@
expression window, e;
@@
- window->span = e;
+ if (!window->span.last)
+   window->span = e;
