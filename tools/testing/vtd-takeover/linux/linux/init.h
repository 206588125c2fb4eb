/* SPDX-License-Identifier: GPL-2.0-only */
/* Userspace stand-in: nothing is discarded after boot. */
#ifndef SHIM_LINUX_INIT_H
#define SHIM_LINUX_INIT_H

#define __init
#define __initdata
#define __ref

#endif
