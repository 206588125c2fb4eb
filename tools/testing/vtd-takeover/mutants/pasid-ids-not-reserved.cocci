// SPDX-License-Identifier: GPL-2.0-only
//
// What Linux does in scalable mode: takes the domain id from where legacy mode has it.
//
// file: tables.c
// breaks: TAGS

@@
expression unit, entry, rid, span;
@@
- if (!unit->scalable)
- 	takeover_tag(unit, rid, FIELD_GET(VTD_CTX_DID, entry[1]));
+ takeover_tag(unit, rid, FIELD_GET(VTD_CTX_DID, entry[1]));
  if (!leads_to_old_ram(unit, entry, rid, span) ||
-     (unit->scalable && !pasids_are_known(unit, entry, rid))
+     false
  )
  	return false;
