// SPDX-License-Identifier: GPL-2.0-only
//
// Devices are not reset, though it was asked for.
//
// file: unit.c
// breaks: EXPECT

@@
identifier options;
@@
- options->reset = true;
+ ;
