// SPDX-License-Identifier: GPL-2.0-only
//
// The tables are still in the write buffer when the unit is pointed at them.
//
// file: unit.c
// breaks: ALIVE

@@
expression unit, ret;
@@
- vtd_flush_write_buffer(unit);
  takeover_forget_all(unit);
  ret = set_root(...);
