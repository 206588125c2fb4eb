// SPDX-License-Identifier: GPL-2.0-only
//
// As Linux does it.
//
// file: prq.c
// breaks: ALIVE

@@
expression request;
@@
- !(request[1] & VTD_PRQ_LAST)
+ 1
