/* SPDX-License-Identifier: GPL-2.0-only */
/* Userspace stand-in: returns how many bytes were not copied, for they are poisoned. */
#ifndef SHIM_LINUX_UACCESS_H
#define SHIM_LINUX_UACCESS_H

#include <linux/types.h>

#ifdef __cplusplus
extern "C"
#endif
unsigned long copy_mc_to_kernel(void *to, const void *from, unsigned long size);

#endif
