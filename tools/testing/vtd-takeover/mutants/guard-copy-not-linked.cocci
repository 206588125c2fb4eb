// SPDX-License-Identifier: GPL-2.0-only
//
// A copy that nothing leads to.
//
// file: guard.c
// breaks: SHIELD

@@
expression word, guard, became;
@@
- *word = (*word & ~VTD_SS_ADDR) | virt_to_phys(copy_at(guard, became));
