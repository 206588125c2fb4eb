// SPDX-License-Identifier: GPL-2.0-only
//
// Each page is read where the first one lies.
//
// file: irte.c
// breaks: CLOSED

@@
expression unit, first;
@@
- (unit->irta & VTD_IRTA_ADDR) + first * ENTRY_SIZE
+ (unit->irta & VTD_IRTA_ADDR)
