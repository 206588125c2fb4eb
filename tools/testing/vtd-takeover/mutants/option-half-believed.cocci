// SPDX-License-Identifier: GPL-2.0-only
//
// Of a value with an unknown option the mode is believed.
//
// file: unit.c
// breaks: EXPECT

@@
expression found, arg, length;
@@
  if (!parse_option(found, arg, length))
- 	return -EINVAL;
+ 	break;
