// SPDX-License-Identifier: GPL-2.0-only
//
// The beginning of a word is taken for the word.
//
// file: unit.c
// breaks: EXPECT

@@
expression text, length, word;
@@
- return length == strlen(word) && !strncmp(text, word, length);
+ return !strncmp(text, word, length);
