// SPDX-License-Identifier: GPL-2.0-only
//
// A large page is as harmless as its beginning.
//
// file: guard.c
// breaks: SHIELD

@@
@@
- takeover_forbidden(base, size, &found)
+ takeover_forbidden(base, VTD_TABLE_SIZE, &found)
