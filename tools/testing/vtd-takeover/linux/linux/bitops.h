/* SPDX-License-Identifier: GPL-2.0-only */
/* Userspace stand-in: bits of a bitmap, atomic as in the kernel. */
#ifndef SHIM_LINUX_BITOPS_H
#define SHIM_LINUX_BITOPS_H

#include <linux/types.h>

#define BITS_PER_LONG		64
#define BIT_WORD(bit)		((bit) / BITS_PER_LONG)
#define BITS_TO_LONGS(bits)	(((bits) + BITS_PER_LONG - 1) / BITS_PER_LONG)

static inline bool test_bit(unsigned long bit, const unsigned long *map)
{
	return __atomic_load_n(&map[bit / BITS_PER_LONG], __ATOMIC_RELAXED) >>
	       (bit % BITS_PER_LONG) & 1;
}

static inline void set_bit(unsigned long bit, unsigned long *map)
{
	__atomic_fetch_or(&map[bit / BITS_PER_LONG],
			  1UL << (bit % BITS_PER_LONG), __ATOMIC_RELAXED);
}

static inline void clear_bit(unsigned long bit, unsigned long *map)
{
	__atomic_fetch_and(&map[bit / BITS_PER_LONG],
			   ~(1UL << (bit % BITS_PER_LONG)), __ATOMIC_RELAXED);
}

static inline void __set_bit(unsigned long bit, unsigned long *map)
{
	map[bit / BITS_PER_LONG] |= 1UL << (bit % BITS_PER_LONG);
}

static inline void __clear_bit(unsigned long bit, unsigned long *map)
{
	map[bit / BITS_PER_LONG] &= ~(1UL << (bit % BITS_PER_LONG));
}

#endif
