/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Userspace stand-in: accesses that the compiler neither splits nor repeats,
 * alignment, what is inline, and values that the compiler knows nothing of.
 */
#ifndef SHIM_LINUX_COMPILER_H
#define SHIM_LINUX_COMPILER_H

#define READ_ONCE(x)		(*(const volatile __typeof__(x) *)&(x))
#define WRITE_ONCE(x, value)	(*(volatile __typeof__(x) *)&(x) = (value))

#define OPTIMIZER_HIDE_VAR(variable)	__asm__("" : "+r"(variable))

#define noinline		__attribute__((__noinline__))
#undef __always_inline
#define __always_inline		inline __attribute__((__always_inline__))
#define __aligned(size)		__attribute__((__aligned__(size)))

#endif
