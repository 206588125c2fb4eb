// SPDX-License-Identifier: GPL-2.0-only
//
// A group waits for one answer.
//
// file: prq.c
// breaks: ACCESS

@@
expression request;
@@
- !(request[1] & VTD_PRQ_LAST)
+ 0
