// SPDX-License-Identifier: GPL-2.0-only
//
// A held device that goes away leaves its entry behind.
//
// file: drivers/iommu/intel/takeover/glue.c
// row: unplug-held
// breaks: stray

@@
symbol lost, iommu, pdev;
@@
- lost = takeover_lose_rid(iommu->takeover, pci_dev_id(pdev));
+ lost = false;
