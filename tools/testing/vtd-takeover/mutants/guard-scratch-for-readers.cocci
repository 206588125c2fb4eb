// SPDX-License-Identifier: GPL-2.0-only
//
// A page that could be read alone can be written.
//
// file: guard.c
// breaks: SHIELD

@@
expression word, guard, f, level;
@@
- !(*word & VTD_SS_WRITE) ||
  !has_scratch(guard->unit, f, level)
