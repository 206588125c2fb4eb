/* SPDX-License-Identifier: GPL-2.0-only */
/* Userspace stand-in: sums that tell when they wrap. */
#ifndef SHIM_LINUX_OVERFLOW_H
#define SHIM_LINUX_OVERFLOW_H

#define check_add_overflow(a, b, sum)	__builtin_add_overflow(a, b, sum)

#endif
