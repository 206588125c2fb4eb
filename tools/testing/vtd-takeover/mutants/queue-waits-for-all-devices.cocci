// SPDX-License-Identifier: GPL-2.0-only
//
// Whatever is in the queue is waited for as long as a device may take.
//
// file: device.c
// breaks: EXPECT
// tests: core

@@
@@
  takeover_note_command(...)
  {
- if (device_of(...) >= 0)
  WRITE_ONCE(...);
  }
