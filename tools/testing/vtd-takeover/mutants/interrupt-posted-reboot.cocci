// SPDX-License-Identifier: GPL-2.0-only
//
// A processor is notified by a vector of this kernel's own: one of them stops it for good.
//
// file: irte.c
// breaks: CLOSED

@@
expression unit, control;
@@
- return judge_vector(unit, FIELD_GET(VTD_PID_NV, control));
+ return FIELD_GET(VTD_PID_NV, control) < VTD_VECTOR_FIRST ? "exception" : NULL;
