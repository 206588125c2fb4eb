// SPDX-License-Identifier: GPL-2.0-only
//
// A table in place of none covers no windows of buses beyond the first quarter of a petabyte.
//
// file: oldmem.c
// breaks: FLOOR
// tests: floor

@@
expression start, size;
@@
- return vtd_is_populated(start, size);
+ return false;
