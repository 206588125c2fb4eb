// SPDX-License-Identifier: GPL-2.0-only
//
// Identity, or the firmware finds other bytes.
//
// file: block.c
// breaks: ALIVE

@@
expression slot, addr;
@@
- WRITE_ONCE(*slot, addr | VTD_SS_READ | VTD_SS_WRITE);
+ WRITE_ONCE(*slot, (addr + VTD_TABLE_SIZE) | VTD_SS_READ | VTD_SS_WRITE);
