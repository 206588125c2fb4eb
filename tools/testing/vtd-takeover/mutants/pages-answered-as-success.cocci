// SPDX-License-Identifier: GPL-2.0-only
//
// The device tries again, and asks again.
//
// file: prq.c
// breaks: ACCESS

@@
@@
- VTD_ANSWER_INVALID
+ 0
