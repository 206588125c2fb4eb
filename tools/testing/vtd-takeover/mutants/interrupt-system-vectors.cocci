// SPDX-License-Identifier: GPL-2.0-only
//
// A device stops a processor of this kernel.
//
// file: irte.c
// breaks: CLOSED

@@
expression vector, unit;
@@
- vector >= unit->system_vector
+ vector > 0xff
