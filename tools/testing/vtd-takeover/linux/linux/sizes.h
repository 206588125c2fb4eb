/* SPDX-License-Identifier: GPL-2.0-only */
/* Userspace stand-in. */
#ifndef SHIM_LINUX_SIZES_H
#define SHIM_LINUX_SIZES_H

#define SZ_4K			0x1000
#define SZ_64K			0x10000
#define SZ_1M			0x100000
#define SZ_16M			0x1000000
#define SZ_256M			0x10000000
#define SZ_1G			0x40000000

#endif
