// SPDX-License-Identifier: GPL-2.0-only
//
// A device-TLB holds what was cut from the tables.
//
// file: guard.c
// breaks: SHIELD

@@
expression unit, rid;
@@
- leads_to_copies(unit, takeover_context_entry(unit, rid))
+ false
