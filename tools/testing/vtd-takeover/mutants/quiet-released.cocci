// SPDX-License-Identifier: GPL-2.0-only
//
// A driver wants to hear of its device's faults.
//
// file: quiet.c
// breaks: FRESH

@@
expression entry;
@@
- return !entry || !(READ_ONCE(entry[0]) & VTD_CTX_PRESENT);
+ return true;
