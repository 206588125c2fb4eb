// SPDX-License-Identifier: GPL-2.0-only
//
// A queue that begins in old RAM and ends beyond it.
//
// file: prq.c
// breaks: WARY

@@
expression queue;
@@
- takeover_oldmem_plausible(queue->base, queue->size)
+ takeover_oldmem_plausible(queue->base, VTD_TABLE_SIZE)
