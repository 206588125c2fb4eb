// SPDX-License-Identifier: GPL-2.0-only
//
// The unit would walk registers.
//
// file: tables.c
// breaks: WARY

@@
expression unit, addr, size;
@@
- if (takeover_oldmem_plausible(addr, size))
+ if (takeover_oldmem_plausible(addr, size) || addr)
  return true;
