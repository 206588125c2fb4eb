// SPDX-License-Identifier: GPL-2.0-only
//
// A function that this kernel does not know of goes on all the same.
//
// file: device.c
// breaks: SHIELD

@@
expression unit, rid;
@@
- vtd_hidden_function_answers(unit, rid)
+ false
