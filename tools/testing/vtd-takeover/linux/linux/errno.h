/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Userspace stand-in. Not <errno.h>: the C library's header asks for this very
 * file to learn the numbers.
 */
#include <asm/errno.h>
