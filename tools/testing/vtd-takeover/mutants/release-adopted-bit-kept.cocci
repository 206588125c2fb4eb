// SPDX-License-Identifier: GPL-2.0-only
//
// The next device with this id releases what the first one mapped.
//
// file: release.c
// breaks: EXPECT

@@
expression rid, unit;
@@
- clear_bit(rid, unit->adopted);
