// SPDX-License-Identifier: GPL-2.0-only
//
// The queue is a ring.
//
// file: prq.c
// breaks: ALIVE

@@
expression at, queue;
@@
- (at + VTD_PRQ_SIZE) & (queue->size - 1)
+ at + VTD_PRQ_SIZE
