// SPDX-License-Identifier: GPL-2.0-only
//
// What passed through has a table now, and the driver's id.
//
// file: guard.c
// breaks: TAGS

@@
@@
name_identity(...)
{
<...
- ret = takeover_write_later(guard->unit, entry + 1, word);
+ ret = 0;
...>
}
