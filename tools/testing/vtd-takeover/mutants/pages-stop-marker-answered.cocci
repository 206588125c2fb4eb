// SPDX-License-Identifier: GPL-2.0-only
//
// A stop marker asks for nothing.
//
// file: prq.c
// breaks: ACCESS

@@
expression request, E;
@@
- request[1] & (VTD_PRQ_READ | VTD_PRQ_WRITE) || E
+ 1
