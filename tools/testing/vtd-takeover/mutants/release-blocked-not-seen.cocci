// SPDX-License-Identifier: GPL-2.0-only
//
// Nobody hears that what was blocked has been released.
//
// file: release.c
// breaks: EXPECT

@@
expression release, rid;
@@
- takeover_blocks_rid(release->unit, rid)
+ (rid == 0xffff)
