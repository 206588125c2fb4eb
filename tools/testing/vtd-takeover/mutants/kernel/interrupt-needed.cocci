// SPDX-License-Identifier: GPL-2.0-only
//
// A unit without an interrupt for its faults ends the driver.
//
// file: drivers/iommu/intel/iommu.c
// row: crash-nolapic
// breaks: ON

@@
expression iommu, ret;
@@
- ret && !intel_takeover_does_without(iommu, ret)
+ ret
