// SPDX-License-Identifier: GPL-2.0-only
//
// What came just before the queue was full.
//
// file: prq.c
// breaks: ALIVE

@@
@@
  fill_up(unit, queue);
- continue;
+ return 0;
