// SPDX-License-Identifier: GPL-2.0-only
//
// A unit with few ids has none for the last devices.
//
// file: tags.c
// breaks: CRASH

@@
expression unit, did;
@@
- vtd_free_did(unit, did);
- any = true;
