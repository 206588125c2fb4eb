// SPDX-License-Identifier: GPL-2.0-only
//
// Anybody may send it.
//
// file: irte.c
// breaks: WARY

@@
expression entry, high;
@@
- WRITE_ONCE(entry[1], high);
+ WRITE_ONCE(entry[1], high & ~VTD_IRTE_RSVD_1 & 0xffff);
