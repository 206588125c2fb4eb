// SPDX-License-Identifier: GPL-2.0-only
//
// A copy of a directory that no context entry leads to.
//
// file: guard.c
// breaks: SHIELD

@@
@@
- WRITE_ONCE(entry[0], word | copy);
