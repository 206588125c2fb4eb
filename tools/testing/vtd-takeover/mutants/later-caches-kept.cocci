// SPDX-License-Identifier: GPL-2.0-only
//
// Pages stay in the IOTLB under the id that changed.
//
// file: tags.c
// breaks: TAGS

@@
@@
takeover_write_now(...)
{
<...
- takeover_forget_all(unit);
...>
}
