// SPDX-License-Identifier: GPL-2.0-only
//
// There is none without PASID. A request for no access waits like any other.
//
// file: prq.c
// breaks: ALIVE

@@
expression E;
@@
- E || !(request[0] & VTD_PRQ_HAS_PASID)
+ E
