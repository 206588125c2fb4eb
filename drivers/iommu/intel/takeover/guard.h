/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the guard's parts share: a budget of memory, and a note of each table
 * that was visited.
 */
#ifndef VTD_TAKEOVER_GUARD_H
#define VTD_TAKEOVER_GUARD_H

#include <linux/types.h>

#include "format.h"

struct takeover_unit;

/**
 * struct takeover_budget - pages of crash memory that the guard may take
 * @unit:	unit that they are for
 * @left:	pages
 * @used:	pages
 * @most:	the largest that @used was
 */
struct takeover_budget {
	struct takeover_unit	*unit;
	unsigned int		left;
	unsigned int		used;
	unsigned int		most;
};

/* Pages of pointers to pages: 128 MiB of nodes, for 14 million tables. */
#define TAKEOVER_MEMO_PAGES	64

/**
 * struct takeover_memo - which tables were visited, and what became of them
 * @budget:	where its pages are from
 * @heads:	chains, by number of their first node
 * @nodes:	nodes
 * @nr_keys:	tables, or eight of them at a time
 * @nr_pages:	pages of it
 * @nr_nodes:	nodes that exist, one more than that: there is no node 0
 * @free:	the first that is in no chain
 * @chains:	a power of two, before the chains that were split
 * @split:	number of these
 * @near:	the word of tables that are near to each other which was asked
 *		for last, NULL if it is not known where that is
 */
struct takeover_memo {
	struct takeover_budget	*budget;
	u64			*heads[TAKEOVER_MEMO_PAGES];
	u64			*nodes[TAKEOVER_MEMO_PAGES];
	unsigned int		nr_keys;
	unsigned int		nr_pages;
	u32			nr_nodes;
	u32			free;
	u32			chains;
	u32			split;
	u64			*near;
};

/*
 * What is kept of a table: a number that the caller chooses. It is mostly 0, and
 * that is kept for all tables that differ in their last bits of PAGE (NEAR)
 * together: MANY is set, and a bit in place of the number for each of them
 * (NEARBY). Another bit tells that a table has a word of its own (OTHER).
 */
#define TAKEOVER_MEMO_VALUE	GENMASK_ULL(17, 0)
#define TAKEOVER_MEMO_NEARBY	GENMASK_ULL(7, 0)
#define TAKEOVER_MEMO_OTHER	GENMASK_ULL(15, 8)
#define TAKEOVER_MEMO_MANY	BIT_ULL(18)
#define TAKEOVER_MEMO_KIND	GENMASK_ULL(23, 19)
#define TAKEOVER_MEMO_PAGE	GENMASK_ULL(63, 24)
#define TAKEOVER_MEMO_NEAR	GENMASK_ULL(26, 24)

/**
 * takeover_memo_key - name a table
 * @addr: its physical address
 * @kind: its level and format, not 0
 */
static inline u64 takeover_memo_key(u64 addr, unsigned int kind)
{
	return FIELD_PREP(TAKEOVER_MEMO_PAGE, addr / VTD_TABLE_SIZE) |
	       FIELD_PREP(TAKEOVER_MEMO_KIND, kind);
}

u64 *takeover_budget_page(struct takeover_budget *budget);
void takeover_budget_free(struct takeover_budget *budget, u64 *page);

int takeover_memo_find(struct takeover_memo *memo, u64 key);
void takeover_memo_ahead(const struct takeover_memo *memo, u64 key);
int takeover_memo_add(struct takeover_memo *memo, u64 key, unsigned int value);
void takeover_memo_free(struct takeover_memo *memo);

#endif /* VTD_TAKEOVER_GUARD_H */
