// SPDX-License-Identifier: GPL-2.0-only
//
// All that the crashed kernel had is forbidden.
//
// file: oldmem.c
// breaks: ALIVE

@@
expression phdr;
@@
- phdr->p_offset != phdr->p_paddr
+ phdr->p_filesz
