// SPDX-License-Identifier: GPL-2.0-only
//
// What firmware needs it may also write.
//
// file: block.c
// breaks: ALIVE

@@
expression slot, addr;
@@
- WRITE_ONCE(*slot, addr | VTD_SS_READ | VTD_SS_WRITE);
+ WRITE_ONCE(*slot, addr | VTD_SS_READ);
