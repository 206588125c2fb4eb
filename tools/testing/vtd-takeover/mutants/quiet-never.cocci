// SPDX-License-Identifier: GPL-2.0-only
//
// Faults of one requester are not counted.
//
// file: quiet.c
// breaks: CLOSED

@@
identifier noise;
@@
- return ++noise->count >= FAULTS_MAX;
+ return false;
