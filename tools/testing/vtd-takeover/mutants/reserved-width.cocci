// SPDX-License-Identifier: GPL-2.0-only
//
// A table of other levels than the entry says.
//
// file: block.c
// breaks: ALIVE

@@
expression map;
@@
- FIELD_PREP(VTD_CTX_AW, map->aw)
+ FIELD_PREP(VTD_CTX_AW, map->aw + 1)
