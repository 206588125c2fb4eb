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

static inline void bitmap_zero(unsigned long *map, unsigned int bits)
{
	unsigned int i;

	for (i = 0; i < bits / BITS_PER_LONG; i++)
		map[i] = 0;
}

#define DECLARE_BITMAP(name, bits) unsigned long name[(bits) / BITS_PER_LONG]

static inline unsigned long find_next_bit(const unsigned long *map,
					  unsigned long bits, unsigned long at)
{
	while (at < bits && !test_bit(at, map))
		at++;
	return at;
}

#define for_each_set_bit(bit, map, bits)		\
	for ((bit) = 0; (bit) < (bits); (bit)++)	\
		if (test_bit(bit, map))

#endif
