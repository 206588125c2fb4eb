// SPDX-License-Identifier: GPL-2.0-only
//
// The beginning of a word is taken for the word.
//
// file: unit.c
// breaks: EXPECT

@@
expression length;
identifier word;
@@
- length == strlen(word)
+ length <= strlen(word)
