// SPDX-License-Identifier: GPL-2.0-only
//
// Windows are closed, and read through as if they were not.
//
// file: window.c
// breaks: WARY
// tests: window

@@
expression window;
@@
- window->at = NULL;
