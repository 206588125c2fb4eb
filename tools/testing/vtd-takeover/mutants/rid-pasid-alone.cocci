// SPDX-License-Identifier: GPL-2.0-only
//
// PASIDs of processes have ids, too.
//
// file: pasid.c
// breaks: TAGS

@@
expression entry;
@@
- if (!(entry[0] & VTD_SM_CTX_PASIDE))
+ if (entry)
  	{ ... }
