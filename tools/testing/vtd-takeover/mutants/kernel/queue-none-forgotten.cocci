// SPDX-License-Identifier: GPL-2.0-only
//
// A unit that has no queue is told nothing at the takeover.
//
// file: drivers/iommu/intel/takeover/glue.c
// row: enomem-registers
// breaks: release

@@
symbol unit, command;
@@
  is_done_by_registers(...)
  {
  ...
- takeover_do_without_queue(unit, command);
  ...
  }
