// SPDX-License-Identifier: GPL-2.0-only
//
// Legacy mode has no such command.
//
// file: device.c
// breaks: ACCESS

@@
expression unit, pasids;
@@
- pasids && unit->scalable
+ pasids
