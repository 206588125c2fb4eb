// SPDX-License-Identifier: GPL-2.0-only
//
// A queue that did not stop once is waited for again.
//
// file: unit.c
// breaks: EXPECT
// tests: core

@@
symbol unit;
@@
  takeover_stop_queue(...)
  {
  ...
- if (unit->queue_lost)
- 	return -ETIMEDOUT;
  ...
  }
