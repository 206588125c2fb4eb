// SPDX-License-Identifier: GPL-2.0-only
//
// The block beside each forbidden one is marked in its place.
//
// file: shield.c
// breaks: SHIELD

@@
expression block;
@@
- block % TAKEOVER_BLOCKS
+ (block + 1) % TAKEOVER_BLOCKS
