// SPDX-License-Identifier: GPL-2.0-only
//
// Behind a bridge a device has two ids.
//
// file: release.c
// breaks: FRESH

@@
expression release;
@@
- release->count++;
- return 0;
+ release->count++;
+ return 1;
