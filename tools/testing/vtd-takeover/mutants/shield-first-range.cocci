// SPDX-License-Identifier: GPL-2.0-only
//
// Only one range is forbidden.
//
// file: shield.c
// breaks: SHIELD

@@
expression i;
@@
- i < nr_shield && shield[i].start <= last
+ !i && nr_shield && shield[i].start <= last
