// SPDX-License-Identifier: GPL-2.0-only
//
// Who leads to a table that was repaired is cut, too.
//
// file: guard.c
// breaks: ALIVE

@@
expression became;
statement S;
@@
  if (
- became == CUT
+ became
  )
  return cut(...);
