// SPDX-License-Identifier: GPL-2.0-only
//
// A unit that does not snoop goes on recording.
//
// file: quiet.c
// breaks: CLOSED

@@
expression entry, after;
@@
  WRITE_ONCE(entry[0], after);
- vtd_flush_lines(entry, sizeof(*entry));
