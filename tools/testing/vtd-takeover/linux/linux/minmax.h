/* SPDX-License-Identifier: GPL-2.0-only */
/* Userspace stand-in: the smaller and the larger of two. */
#ifndef SHIM_LINUX_MINMAX_H
#define SHIM_LINUX_MINMAX_H

#define min(a, b)		((a) < (b) ? (a) : (b))
#define clamp(a, low, high)	((a) < (low) ? (low) : (a) > (high) ? (high) : (a))
#define max(a, b)		((a) > (b) ? (a) : (b))

#endif
