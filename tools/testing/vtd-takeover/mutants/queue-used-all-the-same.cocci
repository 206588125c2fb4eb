// SPDX-License-Identifier: GPL-2.0-only
//
// A unit that did not let go of a queue is given another.
//
// file: unit.c
// breaks: EXPECT

@@
expression unit;
@@
  takeover_stop_queue(...)
  {
  <...
- unit->queue_lost = true;
  ...>
  }
