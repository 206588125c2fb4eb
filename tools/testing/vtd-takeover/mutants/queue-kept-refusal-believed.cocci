// SPDX-License-Identifier: GPL-2.0-only
//
// A unit that does nothing as long as its queue is on is believed.
//
// file: unit.c
// breaks: EXPECT
// tests: core

@@
symbol value, done, unit;
@@
- value & done || !unit->queue_lost ? 0 : -EIO
+ 0
