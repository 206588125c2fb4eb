// SPDX-License-Identifier: GPL-2.0-only
//
// All parts of a page are its first one.
//
// file: guard.c
// breaks: ALIVE

@@
@@
part_of(...)
{
<...
- (base + n * size_of_page(level - 1))
+ base
...>
}
