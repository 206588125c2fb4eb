// SPDX-License-Identifier: GPL-2.0-only
//
// The rest of the entry stays.
//
// file: quiet.c
// breaks: ALIVE

@@
identifier word;
@@
- word |= VTD_CTX_FPD;
+ word = (word & VTD_CTX_PRESENT) | VTD_CTX_FPD;
