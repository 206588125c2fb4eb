// SPDX-License-Identifier: GPL-2.0-only
//
// What a table in place of none took before it was too large is not given back.
//
// file: guard.c
// breaks: FLOOR
// tests: floor

@@
expression guard, f, levels, top;
@@
- free_identity(guard, f, levels + 1, *top);
