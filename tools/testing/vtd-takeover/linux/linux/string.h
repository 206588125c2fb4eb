/* SPDX-License-Identifier: GPL-2.0-only */
/* Userspace stand-in. */
#include <string.h>
