// SPDX-License-Identifier: GPL-2.0-only
//
// Tables of one mode are read as if they were of the other.
//
// file: unit.c
// breaks: EXPECT

@@
identifier old;
expression unit;
@@
- if (old != (unit->scalable ? VTD_TTM_SCALABLE : VTD_TTM_LEGACY))
- 	return -EOPNOTSUPP;
