/* SPDX-License-Identifier: GPL-2.0-only */
/* Userspace stand-in: time passes when the harness says so. */
#ifndef SHIM_LINUX_DELAY_H
#define SHIM_LINUX_DELAY_H

#ifdef __cplusplus
extern "C"
#endif
void udelay(unsigned long us);

#endif
