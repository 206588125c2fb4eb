// SPDX-License-Identifier: GPL-2.0-only
//
// Ranges are not in order.
//
// file: shield.c
// breaks: SHIELD

@@
expression i, start, end;
@@
takeover_forbid(...)
{
<...
- insert_range(i, start, end);
+ insert_range(0, start, end);
...>
}
