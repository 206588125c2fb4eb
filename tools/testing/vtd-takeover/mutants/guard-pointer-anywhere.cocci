// SPDX-License-Identifier: GPL-2.0-only
//
// A pointer may lead to registers, or to nowhere.
//
// file: guard.c
// breaks: WARY

@@
expression guard, addr, level, word;
@@
- if (!is_table(guard, addr))
-   return cut(guard, level, word);
