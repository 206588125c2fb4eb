// SPDX-License-Identifier: GPL-2.0-only
//
// A device stops a processor of this kernel.
//
// file: irte.c
// breaks: CLOSED

@@
expression vector, unit;
@@
- test_bit(vector, unit->fatal_vectors)
+ (vector > 0xff)
