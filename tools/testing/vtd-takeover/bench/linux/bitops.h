/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Userspace stand-in, before the tests' own: bits of a bitmap in as many
 * instructions as the kernel on x86 spends on them.
 */
#ifndef BENCH_LINUX_BITOPS_H
#define BENCH_LINUX_BITOPS_H

#include <linux/types.h>

#define BITS_PER_LONG		64
#define BITS_TO_LONGS(bits)	(((bits) + BITS_PER_LONG - 1) / BITS_PER_LONG)
#define BIT_WORD(bit)		((bit) / BITS_PER_LONG)

static inline bool test_bit(unsigned long bit, const unsigned long *map)
{
	bool set;

	asm volatile("btq %2, %1" : "=@ccc"(set) : "m"(*map), "r"(bit) : "memory");
	return set;
}

static inline void set_bit(unsigned long bit, unsigned long *map)
{
	asm volatile("lock; btsq %1, %0" : "+m"(*map) : "r"(bit) : "memory");
}

static inline void __set_bit(unsigned long bit, unsigned long *map)
{
	asm volatile("btsq %1, %0" : "+m"(*map) : "r"(bit) : "memory");
}

static inline void __clear_bit(unsigned long bit, unsigned long *map)
{
	asm volatile("btrq %1, %0" : "+m"(*map) : "r"(bit) : "memory");
}

static inline void clear_bit(unsigned long bit, unsigned long *map)
{
	asm volatile("lock; btrq %1, %0" : "+m"(*map) : "r"(bit) : "memory");
}

#endif
