// SPDX-License-Identifier: GPL-2.0-only
//
// Pages that were given back are looked at for tables.
//
// file: memo.c
// breaks: CRASH

@@
expression memo;
@@
- *memo = (struct takeover_memo){ .budget = memo->budget };
