// SPDX-License-Identifier: GPL-2.0-only
//
// A unit that does not snoop reads the old id.
//
// file: tags.c
// breaks: TAGS

@@
expression page, i;
@@
- vtd_flush_lines(page->words[i].word, ...);
