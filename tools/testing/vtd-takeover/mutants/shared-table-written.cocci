// SPDX-License-Identifier: GPL-2.0-only
//
// An entry in the page that stands for all blocked devices.
//
// file: block.c
// breaks: ALIVE

@@
identifier unit, rid;
@@
  int takeover_own_table(struct takeover_unit *unit, u16 rid)
  {
  ...
- if ((READ_ONCE(*word) & VTD_ROOT_ADDR) != virt_to_phys(shared_table))
- 	return 0;
+ return 0;
  ...
  }
