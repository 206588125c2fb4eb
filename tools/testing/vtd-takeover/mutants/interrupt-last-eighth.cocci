// SPDX-License-Identifier: GPL-2.0-only
//
// A table that claims every index leaves none.
//
// file: irte.c
// breaks: CLOSED

@@
expression index;
@@
- index >= ADOPT_END
+ index > VTD_IRTE_MAX
