// SPDX-License-Identifier: GPL-2.0-only
//
// A unit that has no queue keeps what a released device had.
//
// file: drivers/iommu/intel/takeover/release.c
// row: enomem-registers
// breaks: release

@@
expression unit, rid, did;
@@
- forget_entry(unit, rid, did);
