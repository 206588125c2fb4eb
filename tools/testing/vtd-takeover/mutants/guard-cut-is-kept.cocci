// SPDX-License-Identifier: GPL-2.0-only
//
// A repaired table takes the place of none.
//
// file: guard.c
// breaks: SHIELD

@@
expression guard, f, level, buffer;
identifier ret;
@@
- return ret ? keep_changed(guard, f, level, buffer) : AS_IT_IS;
+ return AS_IT_IS;
