// SPDX-License-Identifier: GPL-2.0-only
//
// What is dropped is still in the caches when its id is given to reserved memory, or to a driver; and
// who passed through still does, past its table.
//
// file: unit.c
// breaks: FRESH

@@
expression unit;
@@
- if (!(unit->cap & VTD_CAP_ESRTPS))
- 	takeover_forget_all(unit);
