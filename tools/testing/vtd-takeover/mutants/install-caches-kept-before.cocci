// SPDX-License-Identifier: GPL-2.0-only
//
// What the caches hold under the ids that are new to us is of domains that are gone.
//
// file: unit.c
// breaks: ALIVE

@@
expression unit, ret;
@@
- takeover_forget_all(unit);
  ret = set_root(...);
