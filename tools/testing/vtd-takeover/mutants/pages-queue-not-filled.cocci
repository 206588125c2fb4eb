// SPDX-License-Identifier: GPL-2.0-only
//
// What comes while the queue is changed is put in the old one.
//
// file: prq.c
// breaks: ALIVE

@@
expression unit, E;
@@
  fill_up(...)
  {
- vtd_write64(unit, VTD_REG_PQH, E);
  ...
  }
