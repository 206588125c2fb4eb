// SPDX-License-Identifier: GPL-2.0-only
//
// What passed through has a table now, and the driver's id.
//
// file: guard.c
// breaks: TAGS

@@
expression entry, words, did;
@@
- entry[1] = (words[1] & ~VTD_PTE_DID) | FIELD_PREP(VTD_PTE_DID, did);
