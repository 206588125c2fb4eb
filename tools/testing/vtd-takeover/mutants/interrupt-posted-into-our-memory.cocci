// SPDX-License-Identifier: GPL-2.0-only
//
// A descriptor may lie in what of the old RAM is this kernel's.
//
// file: irte.c
// breaks: EXPECT
// tests: core

@@
symbol addr, free;
@@
  !takeover_oldmem_plausible(addr, VTD_PID_SIZE)
- || takeover_forbidden(addr, VTD_PID_SIZE, &free)
