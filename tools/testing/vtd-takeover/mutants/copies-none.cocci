// SPDX-License-Identifier: GPL-2.0-only
//
// A copy is not known again.
//
// file: pasid.c
// breaks: ALIVE

@@
expression unit, i, addr;
@@
- if (*copy_at(unit, i) == addr)
- return true;
