// SPDX-License-Identifier: GPL-2.0-only
//
// Devices read what others wrote.
//
// file: guard.c
// breaks: ALIVE

@@
expression level;
@@
- virt_to_phys(scratch[level - 1]) | VTD_SS_WRITE
+ virt_to_phys(scratch[level - 1]) | VTD_SS_WRITE | VTD_SS_READ
