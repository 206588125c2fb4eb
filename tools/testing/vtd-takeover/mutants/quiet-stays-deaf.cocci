// SPDX-License-Identifier: GPL-2.0-only
//
// Nothing is heard any more, and the work has no end.
//
// file: quiet.c
// breaks: CLOSED

@@
identifier unit;
@@
- unit->deaf = false;
