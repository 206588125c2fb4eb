// SPDX-License-Identifier: GPL-2.0-only
//
// A unit that does not snoop goes on with the old directory.
//
// file: tags.c
// breaks: TAGS

@@
expression entry, size;
@@
- vtd_flush_lines(entry, size);
