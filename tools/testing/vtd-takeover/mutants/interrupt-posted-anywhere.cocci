// SPDX-License-Identifier: GPL-2.0-only
//
// The hardware would write there.
//
// file: irte.c
// breaks: WARY

@@
expression addr, ours;
@@
- if (!takeover_oldmem_plausible(addr, VTD_PID_SIZE) || ours)
- 	return ...;
