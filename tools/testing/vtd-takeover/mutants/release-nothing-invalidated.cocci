// SPDX-License-Identifier: GPL-2.0-only
//
// The caches keep the old entry and its pages.
//
// file: release.c
// breaks: FRESH

@@
expression unit, rid, did;
@@
- forget_entry(unit, rid, did);
