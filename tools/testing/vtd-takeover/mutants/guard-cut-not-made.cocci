// SPDX-License-Identifier: GPL-2.0-only
//
// What was found is counted, and stays.
//
// file: guard.c
// breaks: SHIELD

@@
expression word, now, guard;
@@
- *word = now;
  guard->unit->nr_cut++;
