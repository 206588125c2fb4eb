// SPDX-License-Identifier: GPL-2.0-only
//
// What Linux 6.1 does with a copied entry: invalidates first and clears it then, so that the unit
// may fetch it again in between.
//
// file: release.c
// breaks: FRESH

@@
expression entry, word, left, unit, rid, did;
@@
- WRITE_ONCE(entry[0], (word & ~VTD_CTX_PRESENT) | left);
- vtd_flush_lines(entry, sizeof(*entry));
- vtd_flush_write_buffer(unit);
  forget_entry(unit, rid, did);
+ WRITE_ONCE(entry[0], (word & ~VTD_CTX_PRESENT) | left);
+ vtd_flush_lines(entry, sizeof(*entry));
+ vtd_flush_write_buffer(unit);
