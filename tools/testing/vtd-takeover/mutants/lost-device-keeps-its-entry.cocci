// SPDX-License-Identifier: GPL-2.0-only
//
// Whatever is plugged in next does DMA to where its predecessor did.
//
// file: release.c
// breaks: EXPECT

@@
expression unit, rid;
@@
- takeover_evict_rid(unit, rid, -ENODEV);
