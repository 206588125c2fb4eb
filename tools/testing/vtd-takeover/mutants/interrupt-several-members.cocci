// SPDX-License-Identifier: GPL-2.0-only
//
// A logical id of several processors has no name in xAPIC mode.
//
// file: irte.c
// breaks: CLOSED

@@
expression members, member;
@@
- members != BIT(member)
+ !(members & BIT(member))
