/* SPDX-License-Identifier: GPL-2.0-only */
/* Userspace stand-in: fields named by their mask. */
#ifndef SHIM_LINUX_BITFIELD_H
#define SHIM_LINUX_BITFIELD_H

#define FIELD_GET(mask, word)	(((word) & (mask)) >> __builtin_ctzll(mask))
#define FIELD_PREP(mask, value)	(((u64)(value) << __builtin_ctzll(mask)) & (mask))

#endif
