// SPDX-License-Identifier: GPL-2.0-only
//
// The table in place of none was given back.
//
// file: guard.c
// breaks: CLOSED

@@
expression guard, copies;
@@
- if (guard->identity_copies >= copies)
-   guard->identity = NULL;
