// SPDX-License-Identifier: GPL-2.0-only
//
// A root entry that is not present.
//
// file: tables.c
// breaks: CRASH

@@
expression root_word, table;
@@
- WRITE_ONCE(*root_word, virt_to_phys(table) | VTD_ROOT_PRESENT);
+ WRITE_ONCE(*root_word, virt_to_phys(table));
