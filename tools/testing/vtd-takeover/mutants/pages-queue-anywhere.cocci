// SPDX-License-Identifier: GPL-2.0-only
//
// PQA_REG may hold anything.
//
// file: prq.c
// breaks: WARY

@@
expression queue;
@@
- !takeover_oldmem_plausible(queue->base, queue->size)
+ 0
