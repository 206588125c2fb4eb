// SPDX-License-Identifier: GPL-2.0-only
//
// What the driver would have queued is lost where there is no queue.
//
// file: drivers/iommu/intel/dmar.c
// row: enomem-registers
// breaks: dump

@@
expression iommu, desc, count;
@@
- if (intel_takeover_lacks_queue(iommu))
- 	return intel_takeover_do_without(iommu, desc, count);
