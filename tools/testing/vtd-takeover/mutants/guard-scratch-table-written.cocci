// SPDX-License-Identifier: GPL-2.0-only
//
// Devices write to the table that is full of the scratch page.
//
// file: guard.c
// breaks: ALIVE

@@
expression level;
@@
- virt_to_phys(scratch[level - 1])
+ virt_to_phys(scratch[level])
