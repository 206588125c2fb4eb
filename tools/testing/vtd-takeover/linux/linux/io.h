/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Userspace stand-in: the kdump kernel's own memory is the process's, and its
 * physical addresses are its virtual ones. Old memory is not among them: the
 * core gets at it by vtd_read_oldmem() only, and window.c maps it.
 */
#ifndef SHIM_LINUX_IO_H
#define SHIM_LINUX_IO_H

#include <linux/types.h>

#define MEMREMAP_WB	1UL

#ifdef __cplusplus
extern "C" {
#endif
void *memremap(phys_addr_t address, size_t size, unsigned long flags);
void memunmap(void *at);
#ifdef __cplusplus
}
#endif

static inline phys_addr_t virt_to_phys(const volatile void *address)
{
	return (uintptr_t)address;
}

static inline void *phys_to_virt(phys_addr_t address)
{
	return (void *)(uintptr_t)address;
}

#endif
