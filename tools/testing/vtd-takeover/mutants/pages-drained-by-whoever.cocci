// SPDX-License-Identifier: GPL-2.0-only
//
// The bit is reserved without ECAP.PDS.
//
// file: prq.c
// breaks: ACCESS

@@
expression unit;
@@
- unit->ecap & VTD_ECAP_PDS
+ 1
