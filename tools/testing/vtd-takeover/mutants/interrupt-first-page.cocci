// SPDX-License-Identifier: GPL-2.0-only
//
// The table goes on.
//
// file: irte.c
// breaks: CLOSED

@@
expression first, number, entries;
@@
- for (first = number; first < entries; first += number)
+ for (first = number; first < number; first += number)
  { ... }
