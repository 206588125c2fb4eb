// SPDX-License-Identifier: GPL-2.0-only
//
// Of a value with an unknown option the mode is believed.
//
// file: unit.c
// breaks: EXPECT

@@
expression arg, length;
@@
  if (!is_word(arg, length, "reset"))
- 	return -EINVAL;
+ 	break;
