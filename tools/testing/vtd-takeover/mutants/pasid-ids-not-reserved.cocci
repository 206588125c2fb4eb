// SPDX-License-Identifier: GPL-2.0-only
//
// What Linux does in scalable mode: takes the domain id from where legacy mode has it.
//
// file: tables.c
// breaks: TAGS

@@
expression unit, did;
@@
- if (!unit->scalable) {
+ if (unit) {
  takeover_reserve_did(unit, did);
  return true;
  }
