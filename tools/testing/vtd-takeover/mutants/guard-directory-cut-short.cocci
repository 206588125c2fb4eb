// SPDX-License-Identifier: GPL-2.0-only
//
// Of a large directory one page is copied, with PASIDs in others.
//
// file: guard.c
// breaks: CLOSED

@@
expression at, ret, copy, guard;
@@
- if (at && (ret || (copy && is_in_use(guard->directory))))
-   return -E2BIG;
