/* SPDX-License-Identifier: GPL-2.0-only */
/* Userspace stand-in: the harness counts how often others could have run. */
#ifndef SHIM_LINUX_SCHED_H
#define SHIM_LINUX_SCHED_H

#ifdef __cplusplus
extern "C"
#endif
void cond_resched(void);

#endif
