/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Userspace stand-in, before the tests' own: empty words of a bitmap are passed
 * over at once, as in the kernel.
 */
#ifndef BENCH_LINUX_BITMAP_H
#define BENCH_LINUX_BITMAP_H

#define find_next_bit	shim_find_next_bit
#include_next <linux/bitmap.h>
#undef find_next_bit
#undef for_each_set_bit

static inline unsigned long find_next_bit(const unsigned long *map,
					  unsigned long bits, unsigned long at)
{
	unsigned long word;

	for (; at < bits; at = (BIT_WORD(at) + 1) * BITS_PER_LONG) {
		word = map[BIT_WORD(at)] & (~0UL << (at % BITS_PER_LONG));
		if (word)
			return BIT_WORD(at) * BITS_PER_LONG +
			       __builtin_ctzl(word);
	}
	return bits;
}

#define for_each_set_bit(bit, map, bits)		\
	for ((bit) = find_next_bit(map, bits, 0);	\
	     (bit) < (bits);				\
	     (bit) = find_next_bit(map, bits, (bit) + 1))

#endif
