// SPDX-License-Identifier: GPL-2.0-only
//
// The unit would walk registers.
//
// file: tables.c
// breaks: WARY

@@
expression unit, addr, size, span;
@@
- if (takeover_oldmem_span(addr, size, span))
+ if (takeover_oldmem_span(addr, size, span) || addr)
  return true;
