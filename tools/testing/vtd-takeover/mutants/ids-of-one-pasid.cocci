// SPDX-License-Identifier: GPL-2.0-only
//
// The other PASIDs of the device are not remembered.
//
// file: tags.c
// breaks: TAGS

@@
expression tag, id;
@@
- tag->did == id
+ tag->rid == tag->rid
