// SPDX-License-Identifier: GPL-2.0-only
//
// Buses from 128 on.
//
// file: tables.c
// breaks: ALIVE

@@
identifier bus;
@@
- for (bus = 0; bus < VTD_ROOT_ENTRIES; bus++)
+ for (bus = 0; bus < VTD_ROOT_ENTRIES / 2; bus++)
  adopt_bus(...);
