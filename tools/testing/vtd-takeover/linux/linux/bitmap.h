/* SPDX-License-Identifier: GPL-2.0-only */
/* Userspace stand-in: bitmaps of whole words. */
#ifndef SHIM_LINUX_BITMAP_H
#define SHIM_LINUX_BITMAP_H

#include <linux/bitops.h>

static inline bool bitmap_empty(const unsigned long *map, unsigned int bits)
{
	unsigned int i;

	for (i = 0; i < bits / BITS_PER_LONG; i++)
		if (map[i])
			return false;
	return true;
}

#define for_each_set_bit(bit, map, bits)		\
	for ((bit) = 0; (bit) < (bits); (bit)++)	\
		if (test_bit(bit, map))

#endif
