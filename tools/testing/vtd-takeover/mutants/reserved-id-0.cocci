// SPDX-License-Identifier: GPL-2.0-only
//
// An id that is somebody else's.
//
// file: block.c
// breaks: TAGS

@@
expression map, did;
@@
- FIELD_PREP(VTD_CTX_DID, did)
+ FIELD_PREP(VTD_CTX_DID, 1)
