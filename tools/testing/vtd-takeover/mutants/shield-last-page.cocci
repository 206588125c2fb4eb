// SPDX-License-Identifier: GPL-2.0-only
//
// The last page of what is forbidden.
//
// file: shield.c
// breaks: SHIELD

@@
@@
takeover_forbidden(...)
{
<...
- shield[i].end <= start
+ shield[i].end <= start + VTD_TABLE_SIZE
...>
}
