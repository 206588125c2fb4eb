// SPDX-License-Identifier: GPL-2.0-only
//
// The present bit is there for software only.
//
// file: block.c
// breaks: ALIVE

@@
expression entry;
@@
  WRITE_ONCE(entry[0], entry[0] | VTD_CTX_PRESENT);
- vtd_flush_lines(entry, sizeof(*entry));
