/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Userspace stand-in: accesses that the compiler neither splits nor repeats,
 * and alignment.
 */
#ifndef SHIM_LINUX_COMPILER_H
#define SHIM_LINUX_COMPILER_H

#define READ_ONCE(x)		(*(const volatile __typeof__(x) *)&(x))
#define WRITE_ONCE(x, value)	(*(volatile __typeof__(x) *)&(x) = (value))

#define __aligned(size)		__attribute__((__aligned__(size)))

#endif
