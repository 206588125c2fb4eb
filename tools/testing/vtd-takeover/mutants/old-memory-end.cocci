// SPDX-License-Identifier: GPL-2.0-only
//
// A table that begins in old RAM and ends beyond it.
//
// file: oldmem.c
// breaks: WARY

@@
expression i;
@@
- end <= oldmem[i].end
+ addr < oldmem[i].end
