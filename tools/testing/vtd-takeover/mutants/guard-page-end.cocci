// SPDX-License-Identifier: GPL-2.0-only
//
// A page that begins where the last one lay, and ends beyond that.
//
// file: guard.c
// breaks: SHIELD

@@
expression free, base, size;
@@
- base >= free->first && base <= free->last &&
- size - 1 <= free->last - base
+ base >= free->first && base <= free->last
