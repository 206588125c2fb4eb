/* SPDX-License-Identifier: GPL-2.0-only */
/* Userspace stand-in: what window.c maps with before there is memremap(). */
#ifndef SHIM_ASM_EARLY_IOREMAP_H
#define SHIM_ASM_EARLY_IOREMAP_H

#include <linux/types.h>

#ifdef __cplusplus
extern "C" {
#endif
void *early_memremap(phys_addr_t address, unsigned long size);
void early_memunmap(void *at, unsigned long size);
#ifdef __cplusplus
}
#endif

#endif
