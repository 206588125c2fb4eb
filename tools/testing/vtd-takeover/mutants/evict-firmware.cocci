// SPDX-License-Identifier: GPL-2.0-only
//
// Memory that firmware needs is lost with the id.
//
// file: tags.c
// breaks: EXPECT

@@
expression use, unit;
@@
- test_bit(use->did, unit->dids) && !takeover_is_spared(unit, use->rid)
+ test_bit(use->did, unit->dids)
