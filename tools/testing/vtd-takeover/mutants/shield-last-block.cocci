// SPDX-License-Identifier: GPL-2.0-only
//
// The last block of each range is harmless.
//
// file: shield.c
// breaks: SHIELD

@@
@@
takeover_forbidden_blocks(...)
{
<...
- block <= last
+ block < last
...>
}
