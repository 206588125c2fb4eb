// SPDX-License-Identifier: GPL-2.0-only
//
// A copy is not written down.
//
// file: pasid.c
// breaks: ALIVE

@@
expression unit, table;
@@
- *copy_at(unit, unit->nr_copies++) = virt_to_phys(table);
+ *copy_at(unit, unit->nr_copies++) = 0;
