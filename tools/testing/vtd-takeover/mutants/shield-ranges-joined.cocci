// SPDX-License-Identifier: GPL-2.0-only
//
// What lies between two ranges is forbidden, too.
//
// file: shield.c
// breaks: ALIVE

@@
@@
takeover_forbid(...)
{
<...
- i < nr_shield && shield[i].start <= end
+ i < nr_shield
...>
}
