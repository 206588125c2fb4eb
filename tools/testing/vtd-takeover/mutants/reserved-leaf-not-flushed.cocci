// SPDX-License-Identifier: GPL-2.0-only
//
// The page is there for software only.
//
// file: block.c
// breaks: ALIVE

@@
expression slot, addr;
@@
  WRITE_ONCE(*slot, addr | VTD_SS_READ | VTD_SS_WRITE);
- vtd_flush_lines(slot, sizeof(*slot));
