// SPDX-License-Identifier: GPL-2.0-only
//
// A function that is not there is asked to forget, and blocked when it does not.
//
// file: device.c
// breaks: ACCESS

@@
expression unit, rid;
@@
- vtd_hidden_function_answers(unit, rid)
+ true
