/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Userspace stand-in: the kernel's short integer names, after the long ones
 * that the C library's headers look for in a file of this name.
 */
#ifndef SHIM_LINUX_TYPES_H
#define SHIM_LINUX_TYPES_H

#include_next <linux/types.h>

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

typedef uint8_t u8;
typedef uint16_t u16;
typedef uint32_t u32;
/* As in the kernel, so that %llx fits. */
typedef unsigned long long u64;
typedef u64 phys_addr_t;

#endif
