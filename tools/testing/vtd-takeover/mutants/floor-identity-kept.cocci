// SPDX-License-Identifier: GPL-2.0-only
//
// What a table in place of none took before it was too large is not given back.
//
// file: guard.c
// breaks: FLOOR
// tests: floor

@@
symbol ret;
expression list es;
@@
- if (ret)
- 	free_identity(es);
