// SPDX-License-Identifier: GPL-2.0-only
//
// The answer is for whom nobody asked.
//
// file: prq.c
// breaks: ALIVE

@@
expression low, E;
@@
- low |= VTD_ANSWER_HAS_PASID | E;
+ low |= 0;
