// SPDX-License-Identifier: GPL-2.0-only
//
// The old queue takes on what nobody will read there.
//
// file: prq.c
// breaks: ALIVE

@@
expression unit, pqa, at;
@@
- vtd_write64(unit, VTD_REG_PQA, pqa);
- vtd_write64(unit, VTD_REG_PQH, at);
+ vtd_write64(unit, VTD_REG_PQH, at);
+ vtd_write64(unit, VTD_REG_PQA, pqa);
