// SPDX-License-Identifier: GPL-2.0-only
//
// NMI, SMI, INIT.
//
// file: irte.c
// breaks: CLOSED

@@
expression delivery;
@@
- delivery != VTD_DELIVERY_FIXED && delivery != VTD_DELIVERY_LOWEST
+ delivery > 7
