// SPDX-License-Identifier: GPL-2.0-only
//
// A driver that cannot run where the platform insists on it panics.
//
// file: drivers/iommu/intel/iommu.c
// row: outward-enomem
// breaks: dump

@@
symbol force_on;
@@
- force_on && !is_kdump_kernel()
+ force_on
