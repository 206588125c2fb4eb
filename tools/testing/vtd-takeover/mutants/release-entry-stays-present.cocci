// SPDX-License-Identifier: GPL-2.0-only
//
// Invalidated, and fetched again at once.
//
// file: release.c
// breaks: FRESH

@@
expression entry, word, left;
@@
- WRITE_ONCE(entry[0], (word & ~VTD_CTX_PRESENT) | left);
+ WRITE_ONCE(entry[0], word | left);
