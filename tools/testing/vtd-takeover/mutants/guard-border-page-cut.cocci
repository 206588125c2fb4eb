// SPDX-License-Identifier: GPL-2.0-only
//
// A page that is forbidden in part is as good as none.
//
// file: guard.c
// breaks: ALIVE

@@
expression base, size, guard, f, level, word;
@@
- if (takeover_all_forbidden(base, size))
- return quarantine(guard, f, level, word);
+ return quarantine(guard, f, level, word);
