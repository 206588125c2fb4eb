// SPDX-License-Identifier: GPL-2.0-only
//
// What cannot be guarded at a bearable price is blocked.
//
// file: guard.c
// breaks: FLOOR
// tests: floor

@@
expression guard, error;
@@
  go_unguarded(...)
  {
- if (guard->unit->strict)
- 	return error;
+ if (!guard->unit->strict)
+ 	return error;
  ...
  }
