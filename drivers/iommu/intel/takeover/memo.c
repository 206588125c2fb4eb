// SPDX-License-Identifier: GPL-2.0-only
/*
 * Which page tables were visited lately, and what became of them.
 *
 * A page table may hang in a thousand places. What is known of it is found by
 * page, level and format together: the same page is another table on another
 * level. Memory does not grow with the machine: this is a cache, and a table that
 * it has forgotten is visited again. guard.c bounds the visits.
 *
 * Upper tables have places of their own: each of them stands for hundreds of
 * tables below, and of these there are too many to remember.
 */
#include <linux/compiler.h>
#include <linux/errno.h>
#include <linux/log2.h>
#include <linux/minmax.h>
#include <linux/prefetch.h>

#include "env.h"
#include "guard.h"

/* A set is a cache line: places of tables of pages, and as many of all others. */
#define SET_WORDS	8
#define SET_PLACES	(SET_WORDS / 2)
#define SETS_PER_PAGE	((u32)(VTD_TABLE_SIZE / sizeof(u64) / SET_WORDS))

/* Of what is left of the budget a quarter at most. */
#define MEMO_PART	4

/**
 * takeover_memo_begin - begin to remember tables
 * @memo: what is known, @memo->budget set
 *
 * Memory is taken as tables come. Where there is none they are not remembered.
 */
void takeover_memo_begin(struct takeover_memo *memo)
{
	unsigned int pages = memo->budget->left / MEMO_PART;

	/* A power of two of them: the set is some bits of a hash. */
	pages = pages ? rounddown_pow_of_two(pages) : 0;
	memo->nr_pages = min(pages, TAKEOVER_MEMO_PAGES);
}

static u32 set_of(const struct takeover_memo *memo, u64 key)
{
	u32 hash = (key & ~TAKEOVER_MEMO_VALUE) * 0x9e3779b97f4a7c15ULL >> 32;

	return hash & (memo->nr_pages * SETS_PER_PAGE - 1);
}

/* Where a table may be in the page of its set. */
static u64 *places_of(u64 *page, u32 set, u64 key)
{
	return page + set % SETS_PER_PAGE * SET_WORDS +
	       (FIELD_GET(TAKEOVER_MEMO_LEVEL, key) > 1 ? SET_PLACES : 0);
}

/* The same of all that is known, NULL if there is no such page. */
static u64 *find_places(const struct takeover_memo *memo, u64 key)
{
	u32 set;
	u64 *page;

	if (!memo->nr_pages)
		return NULL;
	set = set_of(memo, key);
	page = memo->pages[set / SETS_PER_PAGE];
	return page ? places_of(page, set, key) : NULL;
}

/**
 * takeover_memo_find - is it known what became of a table?
 * @memo: what is known
 * @key: its name
 *
 * Return: the value that was kept, -ENOENT if there is none.
 */
int takeover_memo_find(const struct takeover_memo *memo, u64 key)
{
	const u64 *places = find_places(memo, key);
	unsigned int i;

	for (i = 0; places && i < SET_PLACES; i++)
		if ((places[i] ^ key) <= TAKEOVER_MEMO_VALUE)
			return places[i] & TAKEOVER_MEMO_VALUE;
	return -ENOENT;
}

/**
 * takeover_memo_ahead - fetch what is known of a table before it is asked for
 * @memo: what is known
 * @key: its name
 */
void takeover_memo_ahead(const struct takeover_memo *memo, u64 key)
{
	const u64 *places = find_places(memo, key);

	if (places)
		prefetch(places);
}

/**
 * takeover_memo_add - keep a value for a table that has none
 * @memo: what is known
 * @key: its name
 * @value: TAKEOVER_MEMO_VALUE at most
 *
 * The one of its set that was kept first is forgotten.
 */
void takeover_memo_add(struct takeover_memo *memo, u64 key, unsigned int value)
{
	unsigned int i;
	u64 **page, *places;
	u32 set;

	if (!memo->nr_pages)
		return;
	set = set_of(memo, key);
	page = &memo->pages[set / SETS_PER_PAGE];
	if (!*page)
		*page = takeover_budget_page(memo->budget);
	if (!*page)
		return;
	places = places_of(*page, set, key);
	for (i = SET_PLACES - 1; i; i--)
		WRITE_ONCE(places[i], places[i - 1]);
	WRITE_ONCE(places[0], key | value);
}

/**
 * takeover_memo_forget - forget all tables, and give their memory back
 * @memo: what is known
 */
void takeover_memo_forget(struct takeover_memo *memo)
{
	unsigned int i;

	for (i = 0; i < memo->nr_pages; i++) {
		if (memo->pages[i])
			takeover_budget_free(memo->budget, memo->pages[i]);
		memo->pages[i] = NULL;
	}
}
