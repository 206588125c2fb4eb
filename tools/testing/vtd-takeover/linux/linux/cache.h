/* SPDX-License-Identifier: GPL-2.0-only */
/* Userspace stand-in: nothing is made read-only. */
#ifndef SHIM_LINUX_CACHE_H
#define SHIM_LINUX_CACHE_H

#define __ro_after_init

#endif
