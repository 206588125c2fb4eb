// SPDX-License-Identifier: GPL-2.0-only
//
// The root table may be said to lie anywhere.
//
// file: tables.c
// breaks: WARY

@@
expression addr;
@@
- if (!takeover_oldmem_plausible(addr, VTD_TABLE_SIZE))
- 	return -EFAULT;
  old_root = vtd_alloc_table(...);
