// SPDX-License-Identifier: GPL-2.0-only
//
// PASIDs of processes have ids, too.
//
// file: pasid.c
// breaks: TAGS

@@
expression entry, ret, unit, rid;
@@
- if (entry[0] & VTD_SM_CTX_PASIDE)
- 	ret = reserve_all(unit, rid, entry);
- else
  	ret = reserve_rid_pasid(unit, rid, entry);
