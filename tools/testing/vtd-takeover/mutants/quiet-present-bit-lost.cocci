// SPDX-License-Identifier: GPL-2.0-only
//
// Silence is no reason to block what the old tables let through.
//
// file: quiet.c
// breaks: ALIVE

@@
identifier word;
@@
- word |= VTD_CTX_FPD;
+ word = (word & ~VTD_CTX_PRESENT) | VTD_CTX_FPD;
