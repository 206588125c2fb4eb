// SPDX-License-Identifier: GPL-2.0-only
//
// A logical destination of xAPIC mode is another processor.
//
// file: irte.c
// breaks: ALIVE

@@
expression low;
@@
- *low &= ~(VTD_IRTE_LOGICAL | VTD_IRTE_DELIVERY);
+ *low &= ~VTD_IRTE_DELIVERY;
