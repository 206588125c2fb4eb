// SPDX-License-Identifier: GPL-2.0-only
//
// The table is one of the second stage.
//
// file: block.c
// breaks: ALIVE

@@
@@
- FIELD_PREP(VTD_PTE_PGTT, VTD_PGTT_SECOND_STAGE)
+ FIELD_PREP(VTD_PTE_PGTT, VTD_PGTT_SECOND_STAGE - 1)
