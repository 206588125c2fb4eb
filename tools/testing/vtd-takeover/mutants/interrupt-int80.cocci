// SPDX-License-Identifier: GPL-2.0-only
//
// A device's interrupt is taken for a system call, at which the kernel panics.
//
// file: irte.c
// breaks: CLOSED

@@
expression vector, unit;
@@
- test_bit(vector, unit->fatal_vectors)
+ (vector != 0x80 && test_bit(vector, unit->fatal_vectors))
