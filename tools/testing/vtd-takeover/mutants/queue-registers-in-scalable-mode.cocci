// SPDX-License-Identifier: GPL-2.0-only
//
// 6.5.1: registers invalidate in legacy mode only.
//
// file: unit.c
// breaks: ACCESS

@@
expression unit;
statement S;
@@
  forget_by_registers(...)
  {
  <...
- if (unit->scalable) S
  ...>
  }
