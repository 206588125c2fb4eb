// SPDX-License-Identifier: GPL-2.0-only
//
// The id is looked for in the wrong word.
//
// file: release.c
// breaks: FRESH

@@
expression entry;
@@
- FIELD_GET(VTD_CTX_DID, READ_ONCE(entry[1]))
+ FIELD_GET(VTD_CTX_DID, READ_ONCE(entry[0]))
