/* SPDX-License-Identifier: GPL-2.0-only */
/* Userspace stand-in: what the kernel makes of it on x86. */
#ifndef SHIM_LINUX_PREFETCH_H
#define SHIM_LINUX_PREFETCH_H

#define prefetch(address)	__builtin_prefetch(address, 0, 0)

#endif
