/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Userspace stand-in: the crash kernel's own memory is the process's, and its
 * physical addresses are its virtual ones. Old memory is not among them: the
 * only way to it is vtd_read_oldmem().
 */
#ifndef SHIM_LINUX_IO_H
#define SHIM_LINUX_IO_H

#include <linux/types.h>

static inline phys_addr_t virt_to_phys(const volatile void *address)
{
	return (uintptr_t)address;
}

static inline void *phys_to_virt(phys_addr_t address)
{
	return (void *)(uintptr_t)address;
}

#endif
