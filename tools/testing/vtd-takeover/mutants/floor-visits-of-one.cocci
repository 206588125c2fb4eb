// SPDX-License-Identifier: GPL-2.0-only
//
// One device whose tables have no end takes the visits of all others.
//
// file: guard.c
// breaks: FLOOR
// tests: floor

@@
expression guard;
@@
- guard->share = guard->visits / 2;
+ guard->share = guard->visits;
