// SPDX-License-Identifier: GPL-2.0-only
//
// A head beyond the queue.
//
// file: prq.c
// breaks: EXPECT

@@
expression queue;
@@
- queue->at >= queue->size
+ 0
