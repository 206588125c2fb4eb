// SPDX-License-Identifier: GPL-2.0-only
//
// A root table empties the caches of some units only.
//
// file: unit.c
// breaks: FRESH

@@
expression unit;
@@
  forget_by_registers(...)
  {
  <...
- if (!(unit->cap & VTD_CAP_ESRTPS))
- 	return -EOPNOTSUPP;
  ...>
  }
