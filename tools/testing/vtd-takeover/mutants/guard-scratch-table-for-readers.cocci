// SPDX-License-Identifier: GPL-2.0-only
//
// A table that could be read alone becomes scratch pages that can be written.
//
// file: guard.c
// breaks: EXPECT
// tests: core

@@
expression became, guard, f, level, word;
@@
  if (became == ALL_SCRATCH)
- return quarantine(guard, f, level, word);
+ return replace(guard, level, word, scratch_word(level));
