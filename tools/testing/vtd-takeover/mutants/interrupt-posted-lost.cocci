// SPDX-License-Identifier: GPL-2.0-only
//
// A virtual machine's interrupts are lost, whose notifications would have done no harm.
//
// file: irte.c
// breaks: ALIVE

@@
expression vector, unit;
@@
- test_bit(vector, unit->fatal_vectors)
+ (vector >= 0xeb || test_bit(vector, unit->fatal_vectors))
