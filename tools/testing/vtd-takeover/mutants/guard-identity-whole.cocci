// SPDX-License-Identifier: GPL-2.0-only
//
// A table in place of none lets through what none did.
//
// file: guard.c
// breaks: SHIELD

@@
expression guard, f, level, base, size, free;
@@
- has_pages(guard->unit, f, level) &&
-	    !takeover_forbidden(base, size, &free)
+ (free.first = base, has_pages(guard->unit, f, level))
