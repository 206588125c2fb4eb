// SPDX-License-Identifier: GPL-2.0-only
//
// What is known of tables names copies that were given back.
//
// file: guard.c
// breaks: ALIVE

@@
expression guard;
statement S;
@@
take_back(...)
{
<...
- takeover_memo_forget(&guard->memo);
...>
}
