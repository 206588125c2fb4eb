// SPDX-License-Identifier: GPL-2.0-only
//
// A copy that nothing leads to.
//
// file: pasid.c
// breaks: TAGS

@@
expression pde, word;
@@
- WRITE_ONCE(*pde, word);
