// SPDX-License-Identifier: GPL-2.0-only
//
// Of a cache line one word is repaired.
//
// file: guard.c
// breaks: SHIELD

@@
expression changed, e;
@@
guard_line(...)
{
<...
- changed |= e;
+ return e;
...>
}
