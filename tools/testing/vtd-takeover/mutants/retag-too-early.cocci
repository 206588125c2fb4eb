// SPDX-License-Identifier: GPL-2.0-only
//
// The new id may be that of an old entry.
//
// file: tags.c
// breaks: TAGS

@@
expression unit, of_driver, i, E;
@@
+ if (of_driver)
+ 	retag(unit);
  for (i = 0; i <= E; i++)
  	if (unit->dids[i])
  		vtd_reserve_dids(...);
- if (of_driver)
- 	retag(unit);
