// SPDX-License-Identifier: GPL-2.0-only
//
// Without a map of the old RAM, registers are read as if they were tables.
//
// file: drivers/iommu/intel/takeover/glue.c
// kunit: knows_what_is_not_old_ram

@@
symbol addr, size;
@@
- return region_intersects(addr, size, 0, IORES_DESC_NONE) ==
- 	REGION_DISJOINT;
+ return region_intersects(addr, size, IORESOURCE_SYSTEM_RAM,
+ 			  IORES_DESC_NONE) == REGION_DISJOINT;
