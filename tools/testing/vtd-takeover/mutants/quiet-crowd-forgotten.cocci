// SPDX-License-Identifier: GPL-2.0-only
//
// A newcomer that begins from nothing: in a crowd nobody's count gets anywhere.
//
// file: quiet.c
// breaks: CLOSED

@@
identifier quietest, rid;
@@
  quietest->rid = rid;
+ quietest->count = 0;
