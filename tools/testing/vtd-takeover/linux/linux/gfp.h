/* SPDX-License-Identifier: GPL-2.0-only */
/* Userspace stand-in: allocations are not told apart. */
#ifndef SHIM_LINUX_GFP_H
#define SHIM_LINUX_GFP_H

typedef unsigned int gfp_t;

#define GFP_KERNEL		0u
#define GFP_ATOMIC		1u
#define __GFP_NORETRY		2u
#define __GFP_NOWARN		4u

#endif
