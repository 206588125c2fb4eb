// SPDX-License-Identifier: GPL-2.0-only
//
// The parts of a page are not looked at.
//
// file: guard.c
// breaks: SHIELD

@@
expression ret, guard, f, level, part;
@@
- ret = guard_page(guard, f, level - 1, &part);
+ ret = 0;
