// SPDX-License-Identifier: GPL-2.0-only
//
// The end of the range is in it.
//
// file: block.c
// breaks: ALIVE

@@
expression addr, end;
@@
- addr <= end
+ addr + VTD_TABLE_SIZE <= end
