// SPDX-License-Identifier: GPL-2.0-only
//
// A PASID table may be said to lie anywhere.
//
// file: pasid.c
// breaks: WARY

@@
expression addr, entries;
@@
- if (!takeover_oldmem_plausible(addr, entries * VTD_PTE_SIZE))
- 	return 0;
