// SPDX-License-Identifier: GPL-2.0-only
//
// Requests are written behind the end of the driver's queue.
//
// file: prq.c
// breaks: ACCESS

@@
expression full, at, pqa;
@@
- !full || at >= vtd_page_queue_size(pqa)
+ !full
