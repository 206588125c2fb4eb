// SPDX-License-Identifier: GPL-2.0-only
//
// The first page of what is forbidden.
//
// file: shield.c
// breaks: SHIELD

@@
@@
takeover_forbidden(...)
{
<...
- shield[i].start <= last
+ shield[i].start + VTD_TABLE_SIZE <= last
...>
}
