// SPDX-License-Identifier: GPL-2.0-only
//
// What passed through has a table now, and the driver's id.
//
// file: guard.c
// breaks: TAGS

@@
expression entry, word, did;
@@
- WRITE_ONCE(entry[1], word | FIELD_PREP(VTD_CTX_DID, did));
