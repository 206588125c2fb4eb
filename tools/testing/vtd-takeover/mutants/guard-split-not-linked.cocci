// SPDX-License-Identifier: GPL-2.0-only
//
// The page stays, and its parts are for nobody.
//
// file: guard.c
// breaks: SHIELD

@@
expression word, table, f;
@@
- *word = virt_to_phys(table) | all_rights(f);
  return 1;
