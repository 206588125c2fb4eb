/* SPDX-License-Identifier: GPL-2.0-only */
/* Userspace stand-in: the C library knows ELF. */
#include <elf.h>
