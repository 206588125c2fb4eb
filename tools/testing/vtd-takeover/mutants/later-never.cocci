// SPDX-License-Identifier: GPL-2.0-only
//
// What had to wait for an empty cache is forgotten.
//
// file: tags.c
// breaks: TAGS

@@
expression page, i;
@@
- WRITE_ONCE(*page->words[i].word, page->words[i].value);
