// SPDX-License-Identifier: GPL-2.0-only
//
// What a logical id of xAPIC mode means is known to the crashed kernel only.
//
// file: irte.c
// breaks: CLOSED

@@
expression low, id;
@@
- *low & (VTD_IRTE_LOGICAL | VTD_IRTE_RSVD_XAPIC)
+ *low & VTD_IRTE_RSVD_XAPIC
