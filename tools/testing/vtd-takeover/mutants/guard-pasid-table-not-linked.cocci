// SPDX-License-Identifier: GPL-2.0-only
//
// A copy of a PASID table that its directory does not lead to.
//
// file: guard.c
// breaks: SHIELD

@@
expression pde, addr;
@@
- *pde = (*pde & ~VTD_PDE_SMPTBLPTR) | addr;
