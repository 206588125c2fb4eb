// SPDX-License-Identifier: GPL-2.0-only
//
// A context table may be said to lie anywhere.
//
// file: tables.c
// breaks: WARY

@@
expression addr, page;
@@
- if (!takeover_oldmem_plausible(addr, VTD_TABLE_SIZE))
- 	return -EFAULT;
  if (vtd_read_oldmem(page, addr, VTD_TABLE_SIZE)) {
  	...
  	return -EIO;
  }
