// SPDX-License-Identifier: GPL-2.0-only
//
// intel_iommu_takeover=block lets everything through.
//
// file: unit.c
// breaks: CLOSED

@@
expression ret, unit, mode;
@@
- if (mode == TAKEOVER_ADOPT)
+ if (mode != TAKEOVER_OFF)
  	ret = adopt(unit);
  ...
- if (ret || mode != TAKEOVER_ADOPT)
+ if (ret)
  	takeover_block_unit(unit);
