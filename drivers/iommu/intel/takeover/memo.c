// SPDX-License-Identifier: GPL-2.0-only
/*
 * Which tables were visited, and what became of them.
 *
 * A page table may hang in a thousand places, and be one page of a terabyte of
 * tables. So what is kept of each has to be small, must not have to be moved
 * when there are more, and is found by page, level and format together: the
 * same page is another table on another level.
 *
 * This is a hash table that grows by one chain at a time (linear hashing). A
 * chain is made of nodes of two cache lines, and nodes lie in pages. Addresses
 * that were chosen to collide make one chain long: it is cut off at a length
 * that does not come by chance, and the table refused.
 *
 * Tables that are near to each other are mostly visited one after the other:
 * then what is kept of the last one also tells of the next one, and no chain is
 * looked through.
 */
#include <linux/compiler.h>
#include <linux/errno.h>
#include <linux/prefetch.h>
#include <linux/string.h>

#include "env.h"
#include "guard.h"
#include "unit.h"

#define NODE_KEYS	15

struct node {
	u64	keys[NODE_KEYS];
	u32	next;			/* 0: none */
	u32	used;
};

#define NODES_PER_PAGE	((u32)(VTD_TABLE_SIZE / sizeof(struct node)))
#define HEADS_PER_PAGE	((u32)(VTD_TABLE_SIZE / sizeof(u32)))

/* Keys of a chain, on the average of those that were not split. */
#define CHAIN_KEYS	20

/* Nodes of a chain: twelve times the average. */
#define CHAIN_MAX	16

static void *page_at(u64 *const *pages, u32 i)
{
	return (void *)pages[i / VTD_TABLE_WORDS][i % VTD_TABLE_WORDS];
}

static int add_page(struct takeover_memo *memo, u64 **pages, u32 i)
{
	u32 top = i / VTD_TABLE_WORDS;
	u64 *page;

	if (top == TAKEOVER_MEMO_PAGES)
		return -E2BIG;
	if (!pages[top]) {
		pages[top] = takeover_budget_page(memo->budget);
		if (!pages[top])
			return -ENOMEM;
		memo->nr_pages++;
	}
	page = takeover_budget_page(memo->budget);
	if (!page)
		return -ENOMEM;
	memo->nr_pages++;
	pages[top][i % VTD_TABLE_WORDS] = (u64)page;
	return 0;
}

static void free_all(struct takeover_memo *memo, u64 **pages)
{
	u32 top, i;

	for (top = 0; top < TAKEOVER_MEMO_PAGES && pages[top]; top++) {
		for (i = 0; i < VTD_TABLE_WORDS && pages[top][i]; i++)
			takeover_budget_free(memo->budget,
					     (u64 *)pages[top][i]);
		takeover_budget_free(memo->budget, pages[top]);
		pages[top] = NULL;
	}
}

static struct node *node_at(const struct takeover_memo *memo, u32 node)
{
	struct node *page = page_at(memo->nodes, node / NODES_PER_PAGE);

	return page + node % NODES_PER_PAGE;
}

static u32 *head_at(const struct takeover_memo *memo, u32 chain)
{
	u32 *page = page_at(memo->heads, chain / HEADS_PER_PAGE);

	return page + chain % HEADS_PER_PAGE;
}

/*
 * Which chain, when some have been split already. Pages next to each other are
 * often tables one after the other: theirs is in the processor's cache then.
 */
static u32 chain_of(const struct takeover_memo *memo, u64 key)
{
	u64 place = key & ~(TAKEOVER_MEMO_VALUE | TAKEOVER_MEMO_MANY |
			    TAKEOVER_MEMO_NEAR);
	u64 hash = place * 0x9e3779b97f4a7c15ULL >> 32;
	u32 chain = hash & (memo->chains - 1);

	return chain < memo->split ? hash & (2 * memo->chains - 1) : chain;
}

/* Sees to it that there is a free node. */
static int need_node(struct takeover_memo *memo)
{
	struct node *node;
	int ret;

	if (memo->free)
		return 0;
	if (memo->nr_nodes % NODES_PER_PAGE == 0) {
		ret = add_page(memo, memo->nodes,
			       memo->nr_nodes / NODES_PER_PAGE);
		if (ret)
			return ret;
		/* There is no node 0. */
		memo->nr_nodes += !memo->nr_nodes;
	}
	node = node_at(memo, memo->nr_nodes);
	node->next = 0;
	memo->free = memo->nr_nodes++;
	return 0;
}

/*
 * Puts a key in a chain. There is a free node if its first one is full. Return:
 * where it is.
 */
static u64 *put_key(struct takeover_memo *memo, u32 chain, u64 key)
{
	u32 *head = head_at(memo, chain);
	struct node *node = *head ? node_at(memo, *head) : NULL;
	u32 first;

	if (!node || node->used == NODE_KEYS) {
		first = memo->free;
		node = node_at(memo, first);
		memo->free = node->next;
		node->next = *head;
		node->used = 0;
		*head = first;
	}
	node->keys[node->used] = key;
	return &node->keys[node->used++];
}

/*
 * Two chains have at most one node more than the one that they were: its nodes
 * are given back before their keys are put anywhere.
 */
static int split_chain(struct takeover_memo *memo)
{
	u32 old = memo->split, next, number, at, used, i;
	u64 keys[NODE_KEYS];
	struct node *node;
	int ret;

	number = memo->chains + old;
	if (number % HEADS_PER_PAGE == 0) {
		ret = add_page(memo, memo->heads, number / HEADS_PER_PAGE);
		if (ret)
			return ret;
	}
	ret = need_node(memo);
	if (ret)
		return ret;

	next = *head_at(memo, old);
	*head_at(memo, old) = 0;
	memo->near = NULL;
	memo->split++;
	while (next) {
		node = node_at(memo, next);
		used = node->used;
		for (i = 0; i < used; i++)
			keys[i] = READ_ONCE(node->keys[i]);
		at = next;
		next = node->next;
		node->next = memo->free;
		memo->free = at;
		for (i = 0; i < used; i++)
			put_key(memo, chain_of(memo, keys[i]), keys[i]);
	}
	if (memo->split == memo->chains) {
		memo->chains *= 2;
		memo->split = 0;
	}
	return 0;
}

static int begin(struct takeover_memo *memo)
{
	int ret;

	if (memo->chains)
		return 0;
	ret = add_page(memo, memo->heads, 0);
	if (!ret)
		memo->chains = 1;
	return ret;
}

/* What is kept for a table and its neighbours, without them. */
static u64 many_of(u64 key)
{
	return (key & ~TAKEOVER_MEMO_NEAR) | TAKEOVER_MEMO_MANY;
}

static u64 nearby_bit(u64 key)
{
	return 1ULL << FIELD_GET(TAKEOVER_MEMO_NEAR, key);
}

static u64 other_bit(u64 key)
{
	return FIELD_PREP(TAKEOVER_MEMO_OTHER, nearby_bit(key));
}

/* Is this what is kept for a table and its neighbours? */
static bool is_many(u64 kept, u64 key)
{
	return (kept ^ many_of(key)) <=
	       (TAKEOVER_MEMO_NEARBY | TAKEOVER_MEMO_OTHER);
}

/**
 * takeover_memo_find - was a table visited?
 * @memo: what is known
 * @key: its name
 *
 * Return: the value that was kept, -ENOENT if there is none.
 */
int takeover_memo_find(struct takeover_memo *memo, u64 key)
{
	u64 kept = memo->near ? *memo->near : 0, same;
	struct node *node;
	u32 next, i;

	if (!memo->chains)
		return -ENOENT;
	if (is_many(kept, key) && !(kept & other_bit(key)))
		return kept & nearby_bit(key) ? 0 : -ENOENT;
	for (next = *head_at(memo, chain_of(memo, key)); next;
	     next = node->next) {
		node = node_at(memo, next);
		for (i = node->used; i--; ) {
			kept = node->keys[i];
			if (is_many(kept, key)) {
				memo->near = &node->keys[i];
				if (!(kept & other_bit(key)))
					return kept & nearby_bit(key) ?
					       0 : -ENOENT;
			}
			same = kept ^ key;
			if (same <= TAKEOVER_MEMO_VALUE)
				return same;
		}
	}
	return -ENOENT;
}

/*
 * What is kept for a table and its neighbours: where it is, NULL if there is
 * none. Then @others tells which of them have a word of their own.
 */
static u64 *find_many(struct takeover_memo *memo, u64 key, u64 *others)
{
	const u64 mask = ~(TAKEOVER_MEMO_VALUE | TAKEOVER_MEMO_NEAR);
	struct node *node;
	u32 next, i;

	*others = 0;
	if (memo->near && is_many(*memo->near, key))
		return memo->near;
	for (next = *head_at(memo, chain_of(memo, key)); next;
	     next = node->next) {
		node = node_at(memo, next);
		for (i = node->used; i--; ) {
			if (is_many(node->keys[i], key))
				return &node->keys[i];
			if (!((node->keys[i] ^ key) & mask))
				*others |= other_bit(node->keys[i]);
		}
	}
	return NULL;
}

/**
 * takeover_memo_ahead - fetch what is known of a table before it is asked for
 * @memo: what is known
 * @key: its name
 */
void takeover_memo_ahead(const struct takeover_memo *memo, u64 key)
{
	const char *node;
	u32 next;

	if (!memo->chains)
		return;
	next = *head_at(memo, chain_of(memo, key));
	if (!next)
		return;
	node = (const char *)node_at(memo, next);
	prefetch(node);
	prefetch(node + sizeof(struct node) / 2);
}

/* Sees to it that a key can be put in a chain. */
static int need_room(struct takeover_memo *memo, u32 chain)
{
	u32 next = *head_at(memo, chain), nodes = 0;

	if (next && node_at(memo, next)->used < NODE_KEYS)
		return 0;
	for (; next; next = node_at(memo, next)->next)
		nodes++;
	return nodes < CHAIN_MAX ? need_node(memo) : -E2BIG;
}

/**
 * takeover_memo_add - keep a value for a table that has none
 * @memo: what is known
 * @key: its name
 * @value: TAKEOVER_MEMO_VALUE at most
 *
 * Return: 0; -E2BIG if there are too many tables, or too many that look alike;
 * -ENOMEM. Then nothing is kept.
 */
int takeover_memo_add(struct takeover_memo *memo, u64 key, unsigned int value)
{
	int ret = begin(memo);
	u64 *many, others;
	u32 chain;

	if (ret)
		return ret;
	many = find_many(memo, key, &others);
	if (many && !value) {
		*many |= nearby_bit(key);
		return 0;
	}
	if (memo->nr_keys / CHAIN_KEYS >= memo->chains + memo->split) {
		ret = split_chain(memo);
		if (ret)
			return ret;
		many = find_many(memo, key, &others);
	}
	chain = chain_of(memo, key);
	ret = need_room(memo, chain);
	if (ret)
		return ret;

	if (value) {
		put_key(memo, chain, key | value);
		if (many)
			*many |= other_bit(key);
	} else {
		memo->near = put_key(memo, chain, many_of(key) | others |
						  nearby_bit(key));
	}
	memo->nr_keys++;
	return 0;
}

/**
 * takeover_memo_free - forget all tables
 * @memo: what is known
 */
void takeover_memo_free(struct takeover_memo *memo)
{
	free_all(memo, memo->heads);
	free_all(memo, memo->nodes);
	*memo = (struct takeover_memo){ .budget = memo->budget };
}
