// SPDX-License-Identifier: GPL-2.0-only
//
// The id is in the second word.
//
// file: pasid.c
// breaks: TAGS

@@
expression part, i;
@@
- FIELD_GET(VTD_PTE_DID, part[i + 1])
+ FIELD_GET(VTD_PTE_DID, part[i])
