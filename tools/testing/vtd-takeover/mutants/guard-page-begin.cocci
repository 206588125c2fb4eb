// SPDX-License-Identifier: GPL-2.0-only
//
// A page below where the last one lay.
//
// file: guard.c
// breaks: SHIELD

@@
expression free, base;
@@
- base >= free->first && base <= free->last &&
+ base <= free->last &&
  ...
