/* SPDX-License-Identifier: GPL-2.0-only */
/* Userspace stand-in: is there memory yet? */
#ifndef SHIM_LINUX_SLAB_H
#define SHIM_LINUX_SLAB_H

#include <linux/types.h>

#ifdef __cplusplus
extern "C"
#endif
bool slab_is_available(void);

#endif
