// SPDX-License-Identifier: GPL-2.0-only
//
// Without a queue the IOTLB keeps what it has.
//
// file: unit.c
// breaks: EXPECT

@@
expression unit;
@@
- return command_register(unit, VTD_IOTLB_REG(unit->ecap), ...);
+ return 0;
