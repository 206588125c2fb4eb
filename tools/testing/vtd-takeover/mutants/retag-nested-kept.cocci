// SPDX-License-Identifier: GPL-2.0-only
//
// The second stage of a nested pair is tagged as well.
//
// file: tags.c
// breaks: TAGS

@@
expression type;
@@
- (type != VTD_PGTT_SECOND_STAGE && type != VTD_PGTT_NESTED)
+ type != VTD_PGTT_SECOND_STAGE
