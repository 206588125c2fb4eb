// SPDX-License-Identifier: GPL-2.0-only
//
// RID_PASID is a field where ECAP.RPS says so.
//
// file: pasid.c
// breaks: TAGS

@@
expression entry;
@@
- return FIELD_GET(VTD_SM_CTX_RID_PASID, entry[1]);
+ return 0;
