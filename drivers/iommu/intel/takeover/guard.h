/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the guard's parts share: a budget of memory, and a note of tables that
 * were visited.
 */
#ifndef VTD_TAKEOVER_GUARD_H
#define VTD_TAKEOVER_GUARD_H

#include <linux/types.h>

#include "format.h"

struct takeover_unit;

/**
 * struct takeover_budget - pages of the kdump kernel's memory that a walk may take
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

/* 32768 tables, half of them upper ones: those of 16 TiB in pages of 4 KiB. */
#define TAKEOVER_MEMO_PAGES	64u

/**
 * struct takeover_memo - which tables were visited, and what became of them
 * @budget:	where its pages are from
 * @pages:	sets of tables, NULL where none was kept yet
 * @nr_pages:	that there may be: 0, or a power of two
 */
struct takeover_memo {
	struct takeover_budget	*budget;
	u64			*pages[TAKEOVER_MEMO_PAGES];
	unsigned int		nr_pages;
};

/* What is kept of a table: its name, and a number that the caller chooses. */
#define TAKEOVER_MEMO_VALUE	GENMASK_ULL(18, 0)
#define TAKEOVER_MEMO_LEVEL	GENMASK_ULL(21, 19)
#define TAKEOVER_MEMO_FORMAT	GENMASK_ULL(23, 22)
#define TAKEOVER_MEMO_PAGE	GENMASK_ULL(63, 24)

/**
 * takeover_memo_key - name a table
 * @addr: its physical address
 * @format: its format, 1 to 3
 * @level: its level, 1 to 5
 */
static inline u64 takeover_memo_key(u64 addr, unsigned int format,
				    unsigned int level)
{
	return FIELD_PREP(TAKEOVER_MEMO_PAGE, addr / VTD_TABLE_SIZE) |
	       FIELD_PREP(TAKEOVER_MEMO_FORMAT, format) |
	       FIELD_PREP(TAKEOVER_MEMO_LEVEL, level);
}

u64 *takeover_budget_page(struct takeover_budget *budget);
void takeover_budget_free(struct takeover_budget *budget, u64 *page);

void takeover_memo_begin(struct takeover_memo *memo);
int takeover_memo_find(const struct takeover_memo *memo, u64 key);
void takeover_memo_ahead(const struct takeover_memo *memo, u64 key);
void takeover_memo_add(struct takeover_memo *memo, u64 key, unsigned int value);
void takeover_memo_forget(struct takeover_memo *memo);

#endif /* VTD_TAKEOVER_GUARD_H */
