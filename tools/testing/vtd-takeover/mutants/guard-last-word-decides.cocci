// SPDX-License-Identifier: GPL-2.0-only
//
// A table is repaired if its last word was.
//
// file: guard.c
// breaks: SHIELD

@@
@@
guard_words(...)
{
<...
- changed |= ret;
+ changed = ret;
...>
}
