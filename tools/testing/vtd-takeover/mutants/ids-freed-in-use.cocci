// SPDX-License-Identifier: GPL-2.0-only
//
// An id goes to a new domain while old entries have it.
//
// file: tags.c
// breaks: TAGS

@@
expression unit, did;
@@
- if (test_bit(did, unit->live))
- 	continue;
