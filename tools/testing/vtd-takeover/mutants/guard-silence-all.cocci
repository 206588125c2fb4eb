// SPDX-License-Identifier: GPL-2.0-only
//
// A device that has one bad PASID loses all.
//
// file: guard.c
// breaks: ALIVE

@@
expression guard, error;
@@
- if (guard->alone)
  return error;
