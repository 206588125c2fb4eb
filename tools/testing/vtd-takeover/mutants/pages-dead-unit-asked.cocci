// SPDX-License-Identifier: GPL-2.0-only
//
// A unit that does not complete commands would be waited for without end.
//
// file: prq.c
// breaks: EXPECT

@@
expression unit, queue;
@@
- if (unit->state == TAKEOVER_DEAD)
- 	queue.error = -ETIMEDOUT;
