// SPDX-License-Identifier: GPL-2.0-only
//
// A device whose entry was damaged away remembers what it said.
//
// file: release.c
// breaks: FRESH

@@
expression entry, unit, dev, rid;
@@
- if (!entry || !(READ_ONCE(entry[0]) & VTD_CTX_PRESENT))
- 	settle(unit, dev, rid);
