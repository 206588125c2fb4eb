// SPDX-License-Identifier: GPL-2.0-only
//
// The guard takes what the dump needs.
//
// file: guard.c
// breaks: EXPECT

@@
expression budget;
@@
- if (!budget->left)
-   return NULL;
