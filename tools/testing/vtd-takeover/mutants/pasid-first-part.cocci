// SPDX-License-Identifier: GPL-2.0-only
//
// The directory goes on.
//
// file: pasid.c
// breaks: TAGS

@@
identifier size, addr, part;
@@
- for (; size; size -= sizeof(part), addr += sizeof(part))
+ for (; size; size = 0)
  { ... }
