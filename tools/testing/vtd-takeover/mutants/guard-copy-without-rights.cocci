// SPDX-License-Identifier: GPL-2.0-only
//
// A pointer to a copy lets nothing through.
//
// file: guard.c
// breaks: ALIVE

@@
expression word, guard, became;
@@
- *word = (*word & ~VTD_SS_ADDR) | virt_to_phys(copy_at(guard, became));
+ *word = virt_to_phys(copy_at(guard, became));
