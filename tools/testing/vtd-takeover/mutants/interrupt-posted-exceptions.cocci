// SPDX-License-Identifier: GPL-2.0-only
//
// It is told about by an exception.
//
// file: irte.c
// breaks: CLOSED

@@
expression control;
@@
- if (FIELD_GET(VTD_PID_NV, control) < VTD_VECTOR_FIRST)
- 	return ...;
