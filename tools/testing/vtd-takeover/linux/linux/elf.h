/* SPDX-License-Identifier: GPL-2.0-only */
/* Userspace stand-in: the exported header has it all, once there is u64. */
#include <linux/types.h>
#include_next <linux/elf.h>
