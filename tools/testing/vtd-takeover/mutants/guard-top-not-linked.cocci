// SPDX-License-Identifier: GPL-2.0-only
//
// The topmost table stays the crashed kernel's.
//
// file: guard.c
// breaks: SHIELD

@@
expression top, guard, became;
@@
- *top = virt_to_phys(copy_at(guard, became));
