// SPDX-License-Identifier: GPL-2.0-only
//
// A table in place of none covers all addresses that there could be.
//
// file: guard.c
// breaks: FLOOR
// tests: floor

@@
symbol base, IDENTITY_WHOLE;
@@
- base < IDENTITY_WHOLE
+ base < IDENTITY_WHOLE * 1024
