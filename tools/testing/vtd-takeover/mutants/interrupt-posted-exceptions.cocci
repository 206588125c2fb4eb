// SPDX-License-Identifier: GPL-2.0-only
//
// It is told about by an exception.
//
// file: irte.c
// breaks: CLOSED

@@
expression unit, control;
@@
- return judge_vector(unit, FIELD_GET(VTD_PID_NV, control));
+ return NULL;
