// SPDX-License-Identifier: GPL-2.0-only
//
// What is not mapped for a blocked device is as silent as before.
//
// file: block.c
// breaks: CLOSED

@@
expression map;
@@
- WRITE_ONCE(entry[0], virt_to_phys(map->top) | VTD_CTX_FPD);
+ WRITE_ONCE(entry[0], virt_to_phys(map->top));
