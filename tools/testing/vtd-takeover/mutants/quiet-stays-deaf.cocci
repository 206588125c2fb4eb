// SPDX-License-Identifier: GPL-2.0-only
//
// Nothing is heard any more, not even of drivers.
//
// file: quiet.c
// breaks: EXPECT

@@
identifier unit;
@@
- unit->deaf = false;
