/* SPDX-License-Identifier: GPL-2.0-only */
/* Userspace stand-in: bitmaps come from the harness, which may have none. */
#ifndef SHIM_LINUX_BITMAP_H
#define SHIM_LINUX_BITMAP_H

#include <linux/gfp.h>

#ifdef __cplusplus
extern "C" {
#endif
unsigned long *bitmap_zalloc(unsigned int bits, gfp_t flags);
void bitmap_free(const unsigned long *map);
#ifdef __cplusplus
}
#endif

#endif
