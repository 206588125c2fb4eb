// SPDX-License-Identifier: GPL-2.0-only
//
// What is blocked is taken for what was never there.
//
// file: release.c
// breaks: FRESH

@@
expression release, rid;
@@
- takeover_blocks_rid(release->unit, rid)
+ (rid == 0xffff)
