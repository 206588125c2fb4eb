// SPDX-License-Identifier: GPL-2.0-only
//
// A driver that cannot run leaves translation on, and no DMA arrives.
//
// file: drivers/iommu/intel/iommu.c
// row: enomem-scope
// breaks: dump

@@
@@
- if (intel_takeover_lets_go())
- 	intel_disable_iommus();
