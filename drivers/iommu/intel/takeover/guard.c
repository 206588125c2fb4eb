// SPDX-License-Identifier: GPL-2.0-only
/*
 * The guard: no device that is not released reaches forbidden memory.
 *
 * From an adopted context entry on the old structures are one tree: PASID
 * directory, PASID table, page tables. It is walked before hardware sees the
 * entry. Where a page, or a pointer to a table, leads into forbidden memory the
 * way to it is copied, from the top to the word in question, and the copy is
 * repaired; everything beside it stays where it is and is shared. A tree
 * without such a word is used as it stands.
 *
 * A table is visited once for each level and format that it is used as, as long
 * as it is remembered (memo.c), and visits have a bound. Memory has a budget, one
 * for all units. A device whose tables lead into forbidden memory and would take
 * more to repair, or are no tables, is blocked. One about which nothing is known
 * but that there is no memory to walk its tables goes on unguarded, as on stock.
 *
 * What passes through has no tables and gets some, which cover what there is:
 * the crashed kernel's RAM, registers, and all between. All units that read them
 * alike share them. Where they would take too much, for lack of large pages, or
 * would not cover what there is, the device goes on passing through, as on stock.
 *
 * Not walked are first-stage tables below a second stage: their addresses are
 * a guest's, and the second stage has the last word.
 */
#define pr_fmt(fmt) "DMAR: takeover: " fmt

#include <linux/bitmap.h>
#include <linux/bitops.h>
#include <linux/build_bug.h>
#include <linux/compiler.h>
#include <linux/errno.h>
#include <linux/gfp.h>
#include <linux/io.h>
#include <linux/minmax.h>
#include <linux/prefetch.h>
#include <linux/printk.h>
#include <linux/sched.h>
#include <linux/sizes.h>
#include <linux/string.h>

#include "env.h"
#include "guard.h"
#include "unit.h"

/* 3.6, 3.7: of either stage. */
#define LEVELS_MAX	5

/* The page tables that there are, as hardware reads them. */
enum format {
	SECOND_STAGE	= 1,
	FIRST_STAGE	= 2,
	/* 9.6, SRE clear: what is a supervisor's is out of reach. */
	FIRST_STAGE_USER = 3,
};

/*
 * What became of a table; from FIRST_COPY on it is the number of a copy. Of one
 * all of whose pages are forbidden there is no copy.
 */
enum outcome {
	AS_IT_IS	= 0,
	CUT		= 1,
	ALL_SCRATCH	= 2,
	FIRST_COPY	= 3,
};

/* Words that come from memory at a time. */
#define LINE_WORDS	8

/* Pages of addresses of copies. */
#define COPY_PAGES	4

/*
 * Visits of tables, of all devices of a unit: as many as the crashed kernel had
 * pages of RAM. Its tables take a five-hundredth of it, if it mapped all of it in
 * pages of 4 KiB. Tables that hold each other take no more time than that. A
 * device may take half of what is left, so that others are not blocked for one
 * that is damaged; who would have had less than the least share is not to blame.
 */
#define VISITS_MIN	SZ_64K
#define VISITS_MAX	SZ_16M
#define SHARE_MIN	SZ_4K

/*
 * Tables of addresses that mean themselves: with pages of 1 GiB they cover a
 * quarter of a petabyte. Without large pages it is a gigabyte, and no machine has
 * so little.
 */
#define IDENTITY_PAGES_MAX	512

/*
 * Up to here such a table covers all addresses, if the unit has pages of 1 GiB: a
 * page for each half terabyte. Beyond it covers what there is.
 */
#define IDENTITY_WHOLE		BIT_ULL(46)

/**
 * struct takeover_guard - the guard of a unit, while it walks
 * @unit:	unit
 * @budget:	what is left of the budget
 * @memo:	tables that were visited
 * @visits:	of tables that are left
 * @share:	of these, how many the device may make
 * @visited:	how many it made
 * @suspect:	the tables of the device lead into forbidden memory, or nowhere
 * @tables:	where the last table lay, and others may
 * @free:	where the last page lay: all around it is harmless
 * @blocks:	which blocks of addresses are not harmless as a whole
 * @ahead:	the table of pages that is likely to be next, 0 if none is
 * @buffer:	a table of each level
 * @pasids:	a PASID table
 * @directory:	a page of a PASID directory
 * @copies:	addresses of copies
 * @nr_copies:	their number
 * @last_table:	the last copy of a PASID table
 * @last_directory: the same of a directory
 * @alone:	the device has no PASIDs, and nothing to lose but all
 * @identity_did: domain id of what passed through, 0: it has none yet
 * @identity_error: why the unit could not make a table for them, 0: it can yet
 */
struct takeover_guard {
	struct takeover_unit	*unit;
	struct takeover_budget	budget;
	struct takeover_memo	memo;
	unsigned int		visits;
	unsigned int		share;
	unsigned int		visited;
	bool			suspect;
	struct takeover_span	tables;
	struct takeover_span	free;
	u8			*blocks;
	u64			ahead;
	u64			*buffer[LEVELS_MAX];
	u64			*pasids;
	u64			*directory;
	u64			*copies[COPY_PAGES];
	unsigned int		nr_copies;
	u64			*last_table;
	u64			*last_directory;
	bool			alone;
	u16			identity_did;
	int			identity_error;
};

/*
 * The page that takes what is written to forbidden memory, and gives nothing:
 * a write is no error for the device then, and a read is. Behind it are the
 * tables that are full of it, for whole large pages.
 */
static u64 scratch[VTD_LARGE_LEVELS][VTD_TABLE_WORDS]
	__aligned(VTD_TABLE_SIZE);

static u64 scratch_word(unsigned int level)
{
	return virt_to_phys(scratch[level - 1]) | VTD_SS_WRITE;
}

static void fill_scratch(void)
{
	unsigned int level, i;

	for (level = 1; level < VTD_LARGE_LEVELS; level++)
		for (i = 0; i < VTD_TABLE_WORDS; i++)
			WRITE_ONCE(scratch[level][i], scratch_word(level));
	vtd_flush_lines(scratch, sizeof(scratch));
}

/**
 * takeover_scratch_page - where writes to forbidden memory get to
 *
 * Return: its physical address. Nobody reads it.
 */
phys_addr_t takeover_scratch_page(void)
{
	return virt_to_phys(scratch[0]);
}

/**
 * takeover_budget_page - a zeroed page of crash memory
 * @budget: what it is taken from
 *
 * Return: the page, NULL if there is none or none is left.
 */
u64 *takeover_budget_page(struct takeover_budget *budget)
{
	u64 *page;

	if (!budget->left)
		return NULL;
	page = vtd_alloc_table(budget->unit, TAKEOVER_GFP);
	if (!page)
		return NULL;
	budget->left--;
	budget->used++;
	budget->most = max(budget->most, budget->used);
	return page;
}

/**
 * takeover_budget_free - give a page back
 * @budget: what it was taken from
 * @page: page that hardware has not seen
 */
void takeover_budget_free(struct takeover_budget *budget, u64 *page)
{
	vtd_free_table(page);
	budget->left++;
	budget->used--;
}

static u64 size_of_page(unsigned int level)
{
	return 1ULL << (VTD_SS_PAGE_BITS + (level - 1) * VTD_SS_LEVEL_BITS);
}

static bool is_present(enum format format, u64 word)
{
	switch (format) {
	case SECOND_STAGE:
		return word & (VTD_SS_READ | VTD_SS_WRITE | VTD_SS_EXECUTE);
	case FIRST_STAGE:
		return word & VTD_FS_PRESENT;
	default:
		return (word & VTD_FS_PRESENT) && (word & VTD_FS_USER);
	}
}

static bool is_page(unsigned int level, u64 word)
{
	return level == 1 ||
	       (level <= VTD_LARGE_LEVELS && (word & VTD_PAGE_LARGE));
}

/* Bits of a word that lets everything through. */
static u64 all_rights(enum format format)
{
	if (format == SECOND_STAGE)
		return VTD_SS_READ | VTD_SS_WRITE;
	return VTD_FS_PRESENT | VTD_FS_WRITE | VTD_FS_USER;
}

static void keep_word(u64 *table, unsigned int i, u64 word)
{
	WRITE_ONCE(table[i], word);
}

static u64 *copy_at(const struct takeover_guard *guard, int copy)
{
	unsigned int i = copy - FIRST_COPY;

	return (u64 *)guard->copies[i / VTD_TABLE_WORDS][i % VTD_TABLE_WORDS];
}

/* A page that hardware will read, by its number. Return: NULL if there is none. */
static u64 *new_copy(struct takeover_guard *guard)
{
	unsigned int number = guard->nr_copies;
	u64 **page = &guard->copies[number / VTD_TABLE_WORDS];
	u64 *copy;

	if (number == COPY_PAGES * VTD_TABLE_WORDS)
		return NULL;
	if (!*page)
		*page = takeover_budget_page(&guard->budget);
	if (!*page)
		return NULL;
	copy = takeover_budget_page(&guard->budget);
	if (!copy)
		return NULL;
	(*page)[number % VTD_TABLE_WORDS] = (u64)copy;
	guard->nr_copies++;
	return copy;
}

/* Return: number of the copy, or a negative errno. */
static int keep_copy(struct takeover_guard *guard, const u64 *buffer)
{
	u64 *copy = new_copy(guard);
	unsigned int i;

	if (!copy)
		return -ENOMEM;
	for (i = 0; i < VTD_TABLE_WORDS; i++)
		keep_word(copy, i, buffer[i]);
	vtd_flush_lines(copy, VTD_TABLE_SIZE);
	return guard->nr_copies - 1 + FIRST_COPY;
}

/* A table has to be in old RAM, and none of what is forbidden now. */
static bool is_table(struct takeover_guard *guard, u64 addr)
{
	struct takeover_span free;

	if (addr >= guard->tables.first && addr <= guard->tables.last)
		return true;
	if (!takeover_oldmem_span(addr, VTD_TABLE_SIZE, &guard->tables) ||
	    takeover_forbidden(addr, VTD_TABLE_SIZE, &free)) {
		guard->tables = (struct takeover_span){ .first = 1 };
		return false;
	}
	guard->tables.first = max(guard->tables.first, free.first);
	guard->tables.last = min(guard->tables.last,
				 free.last - (VTD_TABLE_SIZE - 1));
	return true;
}

static int guard_table(struct takeover_guard *guard, enum format format,
		       unsigned int level, u64 addr);

/*
 * Zero-length reads are requests that some units do not let write-only pages
 * have (11.4.2, ZLR); the first stage knows no such pages at all.
 */
static bool has_scratch(const struct takeover_unit *unit, enum format format,
			unsigned int level)
{
	return unit->quarantine == TAKEOVER_SCRATCH &&
	       format == SECOND_STAGE && level <= VTD_LARGE_LEVELS &&
	       (unit->cap & VTD_CAP_ZLR);
}

/* Return: 1, the word is another one now. */
static int replace(struct takeover_guard *guard, unsigned int level, u64 *word,
		   u64 now)
{
	vtd_trace(guard->unit, VTD_TRACE_CUT, level, *word, now);
	guard->suspect = true;
	*word = now;
	guard->unit->nr_cut++;
	return 1;
}

static int cut(struct takeover_guard *guard, unsigned int level, u64 *word)
{
	return replace(guard, level, word, 0);
}

/* The same, for a page or a table all of which is forbidden. */
static int quarantine(struct takeover_guard *guard, enum format format,
		      unsigned int level, u64 *word)
{
	if (!(*word & VTD_SS_WRITE) ||
	    !has_scratch(guard->unit, format, level))
		return cut(guard, level, word);
	return replace(guard, level, word, scratch_word(level));
}

/* Return: 1 if the word is another one now, 0 if not, or a negative errno. */
static int guard_pointer(struct takeover_guard *guard, enum format format,
			 unsigned int level, u64 *word)
{
	u64 addr = *word & VTD_SS_ADDR;
	int became;

	if (!is_table(guard, addr))
		return cut(guard, level + 1, word);
	became = guard_table(guard, format, level, addr);
	if (became < 0 || became == AS_IT_IS)
		return became;
	if (became == CUT)
		return cut(guard, level + 1, word);
	if (became == ALL_SCRATCH)
		return quarantine(guard, format, level + 1, word);
	guard->suspect = true;
	*word = (*word & ~VTD_SS_ADDR) | virt_to_phys(copy_at(guard, became));
	return 1;
}

/* May an entry of this level be a page? */
static bool has_pages(const struct takeover_unit *unit, enum format format,
		      unsigned int level)
{
	switch (level) {
	case 1:
		return true;
	case 2:
		return format != SECOND_STAGE || (unit->cap & VTD_CAP_SSLPS_2M);
	case 3:
		return unit->cap & (format == SECOND_STAGE ? VTD_CAP_SSLPS_1G :
							     VTD_CAP_FS1GP);
	default:
		return false;
	}
}

/*
 * A large page may be none for the unit: it has none of the kind, or address
 * bits within the page are set. It would fault; a part of it would not.
 */
static bool is_flawed(const struct takeover_unit *unit, enum format format,
		      unsigned int level, u64 word)
{
	u64 within = word & VTD_SS_ADDR & (size_of_page(level) - 1);

	if (format != SECOND_STAGE)
		within &= ~VTD_FS_PAT_LARGE;
	return !has_pages(unit, format, level) || within;
}

/* The n-th part of a large page, as an entry of a table one level below. */
static u64 part_of(enum format format, unsigned int level, u64 word, u64 base,
		   unsigned int n)
{
	u64 part = (word & ~VTD_SS_ADDR) | (base + n * size_of_page(level - 1));
	bool pat = format != SECOND_STAGE && (word & VTD_FS_PAT_LARGE);

	if (level - 1 > 1)
		return part | (pat ? VTD_FS_PAT_LARGE : 0);
	part &= ~VTD_PAGE_LARGE;
	return part | (pat ? VTD_FS_PAT_4K : 0);
}

/* Most pages lie where the last one did. */
static bool is_free(struct takeover_guard *guard, u64 base, u64 size)
{
	struct takeover_span *free = &guard->free, found;

	if (base >= free->first && base <= free->last &&
	    size - 1 <= free->last - base)
		return true;
	if (takeover_forbidden(base, size, &found))
		return false;
	*free = found;
	return true;
}

/* A page, or what is left of it. Return: as above. */
static int guard_page(struct takeover_guard *guard, enum format format,
		      unsigned int level, u64 *word)
{
	u64 size = size_of_page(level), base = *word & VTD_SS_ADDR & -size;
	unsigned int i;
	u64 *table, part;
	int ret;

	if (is_free(guard, base, size))
		return 0;
	if (is_flawed(guard->unit, format, level, *word))
		return cut(guard, level, word);
	if (takeover_all_forbidden(base, size))
		return quarantine(guard, format, level, word);

	guard->suspect = true;
	table = new_copy(guard);
	if (!table)
		return -ENOMEM;
	for (i = 0; i < VTD_TABLE_WORDS; i++) {
		part = part_of(format, level, *word, base, i);
		ret = guard_page(guard, format, level - 1, &part);
		if (ret < 0)
			return ret;
		keep_word(table, i, part);
	}
	vtd_flush_lines(table, VTD_TABLE_SIZE);
	*word = virt_to_phys(table) | all_rights(format);
	return 1;
}

static int guard_word(struct takeover_guard *guard, enum format format,
		      unsigned int level, u64 *word)
{
	if (!is_present(format, *word))
		return 0;
	if (is_page(level, *word))
		return guard_page(guard, format, level, word);
	return guard_pointer(guard, format, level - 1, word);
}

/* Where a table may be that is looked at next; 0: nowhere. */
static u64 table_ahead(const u64 *words, unsigned int i)
{
	if (i == VTD_TABLE_WORDS || is_page(2, words[i]))
		return 0;
	return words[i] & VTD_SS_ADDR;
}

/* Return: 1 if a word is another one now, 0 if none, or a negative errno. */
static int guard_words(struct takeover_guard *guard, enum format format,
		       unsigned int level, u64 *words)
{
	int ret, changed = 0;
	unsigned int i;

	for (i = 0; i < VTD_TABLE_WORDS; i++) {
		if (level == 2)
			guard->ahead = table_ahead(words, i + 1);
		ret = guard_word(guard, format, level, &words[i]);
		if (ret < 0)
			return ret;
		changed |= ret;
	}
	return changed;
}

/*
 * Not 0: some of the block that an address of a page is in is forbidden. Its
 * number is in 16 bits that can be loaded alone. To load all of the word, and to
 * mask it, takes a third more.
 */
static unsigned int is_marked(const u8 *blocks, const u64 *word)
{
	unsigned int bits = 0;

	static_assert(BIT_ULL(3 * 8 + 4) == TAKEOVER_BLOCK_SIZE);
	static_assert(BIT(16 - 4) == TAKEOVER_BLOCKS);
	__builtin_memcpy(&bits, (const u8 *)word + 3, sizeof(u16));
	/* Or the compiler masks nevertheless. */
	OPTIMIZER_HIDE_VAR(bits);
	return blocks[bits >> 4];
}

/* Of words of a cache line. */
static unsigned int any_is_marked(const u8 *blocks, const u64 *line)
{
	return is_marked(blocks, line + 0) | is_marked(blocks, line + 1) |
	       is_marked(blocks, line + 2) | is_marked(blocks, line + 3) |
	       is_marked(blocks, line + 4) | is_marked(blocks, line + 5) |
	       is_marked(blocks, line + 6) | is_marked(blocks, line + 7);
}

/*
 * Words of a cache line, not all of which are harmless. No page is split here, so
 * that nothing fails. Return: 1 if a word is another one now, 0 if none.
 */
static int guard_line(struct takeover_guard *guard, enum format format,
		      u64 *line)
{
	unsigned int i;
	int changed = 0;

	for (i = 0; i < LINE_WORDS; i++)
		if (is_marked(guard->blocks, line + i))
			changed |= guard_word(guard, format, 1, &line[i]);
	return changed;
}

/*
 * Nearly all of the tables are of pages, and nearly all of these are good. What
 * they map lies on all sides of the kdump kernel in no order: so words are not
 * told apart that are harmless. Meanwhile the next table comes from memory: no
 * processor knows by itself where it is. Return: as above.
 */
static int guard_pages(struct takeover_guard *guard, enum format format,
		       u64 *words)
{
	const u64 *ahead = vtd_oldmem_ahead(guard->ahead);
	const u8 *blocks = guard->blocks;
	int changed = 0;
	u64 *line;

	takeover_memo_ahead(&guard->memo,
			    takeover_memo_key(guard->ahead, format, 1));
	if (!ahead)
		ahead = words;
	for (line = words; line < words + VTD_TABLE_WORDS;
	     line += LINE_WORDS, ahead += LINE_WORDS) {
		prefetch(ahead);
		if (any_is_marked(blocks, line))
			changed |= guard_line(guard, format, line);
	}
	return changed;
}

/* Are all words of a table this one? */
static bool is_all(const u64 *words, u64 word)
{
	unsigned int i;

	for (i = 0; i < VTD_TABLE_WORDS; i++)
		if (words[i] != word)
			return false;
	return true;
}

/*
 * A table that changed. Of a table of pages often nothing is left: a crashed
 * kernel that translates for want of pass-through maps the kdump kernel's memory
 * as well, a quarter of a gigabyte by 128 tables. Return: enum outcome, or a
 * negative errno.
 */
static int keep_changed(struct takeover_guard *guard, enum format format,
			unsigned int level, const u64 *words)
{
	if (level == 1 && is_all(words, 0))
		return CUT;
	if (level == 1 && has_scratch(guard->unit, format, 1) &&
	    is_all(words, scratch_word(1)))
		return ALL_SCRATCH;
	return keep_copy(guard, words);
}

/* Return: enum outcome, or a negative errno. */
static int visit_table(struct takeover_guard *guard, enum format format,
		       unsigned int level, u64 addr)
{
	u64 *buffer = guard->buffer[level - 1];
	int ret;

	if (guard->visited == guard->share) {
		guard->suspect |= guard->share >= SHARE_MIN;
		return -E2BIG;
	}
	guard->visited++;
	/* Millions of them take seconds, and stall detectors run already. */
	cond_resched();
	ret = vtd_read_oldmem(buffer, addr, VTD_TABLE_SIZE);
	if (ret == -EIO)
		return CUT;
	if (ret)
		return ret;
	guard->unit->nr_guarded++;

	ret = level == 1 ?
	      guard_pages(guard, format, buffer) :
	      guard_words(guard, format, level, buffer);
	if (ret < 0)
		return ret;
	return ret ? keep_changed(guard, format, level, buffer) : AS_IT_IS;
}

/*
 * A page that holds itself is another table one level below, so that this ends.
 * Return: enum outcome, or a negative errno.
 */
static int guard_table(struct takeover_guard *guard, enum format format,
		       unsigned int level, u64 addr)
{
	u64 key = takeover_memo_key(addr, format, level);
	int became = takeover_memo_find(&guard->memo, key);

	if (became >= 0)
		return became;
	became = visit_table(guard, format, level, addr);
	if (became >= 0)
		takeover_memo_add(&guard->memo, key, became);
	return became;
}

/* The table of addresses that mean themselves, while it is made. */
struct identity {
	struct takeover_guard	*guard;
	enum format		format;
	u64			limit;	/* the last address and one */
	unsigned int		pages;
};

static u64 *identity_page(struct identity *identity)
{
	if (identity->pages == IDENTITY_PAGES_MAX)
		return NULL;
	identity->pages++;
	return takeover_budget_page(&identity->guard->budget);
}

/* A gap costs nothing where there are pages of 1 GiB, and it may be none. */
static bool is_covered(const struct identity *identity, u64 base, u64 size)
{
	if (base >= identity->limit)
		return false;
	return (base < IDENTITY_WHOLE &&
		has_pages(identity->guard->unit, identity->format, 3)) ||
	       takeover_populated(base, size);
}

/*
 * The word of a table for memory from @base on, where addresses mean themselves;
 * without what is forbidden. A table is linked before it is filled, so that it can
 * be given back whatever happens.
 */
static int identity_word(struct identity *identity, unsigned int level,
			 u64 base, u64 *word)
{
	struct takeover_guard *guard = identity->guard;
	enum format format = identity->format;
	u64 size = size_of_page(level), *table;
	struct takeover_span free;
	unsigned int i;
	int ret;

	if (!is_covered(identity, base, size))
		return 0;
	if (takeover_all_forbidden(base, size)) {
		if (has_scratch(guard->unit, format, level))
			WRITE_ONCE(*word, scratch_word(level));
		return 0;
	}
	if (has_pages(guard->unit, format, level) &&
	    !takeover_forbidden(base, size, &free)) {
		WRITE_ONCE(*word, base | all_rights(format) |
				  (level > 1 ? VTD_PAGE_LARGE : 0));
		return 0;
	}

	table = identity_page(identity);
	if (!table)
		return -ENOMEM;
	WRITE_ONCE(*word, virt_to_phys(table) | all_rights(format));
	size = size_of_page(level - 1);
	for (i = 0; i < VTD_TABLE_WORDS; i++) {
		ret = identity_word(identity, level - 1, base + i * size,
				    table + i);
		if (ret)
			return ret;
	}
	vtd_flush_lines(table, VTD_TABLE_SIZE);
	return 0;
}

/* Gives back a table that hardware has not seen, by the word that leads to it. */
static void free_identity(struct takeover_guard *guard, enum format format,
			  unsigned int level, u64 word)
{
	u64 *table = phys_to_virt(word & VTD_SS_ADDR);
	unsigned int i;

	if (!word || is_page(level, word) ||
	    (level <= VTD_LARGE_LEVELS && word == scratch_word(level)))
		return;
	for (i = 0; i < VTD_TABLE_WORDS; i++)
		free_identity(guard, format, level - 1, READ_ONCE(table[i]));
	takeover_budget_free(&guard->budget, table);
}

/* All that makes tables of one unit no good for another. */
static u64 identity_key(const struct takeover_guard *guard, enum format format,
			unsigned int levels, u64 limit)
{
	const struct takeover_unit *unit = guard->unit;
	unsigned int level = VTD_LARGE_LEVELS, pages = 0;

	for (; level; level--)
		pages = 2 * pages + has_pages(unit, format, level);
	return limit | levels << 8 | pages << 4 |
	       has_scratch(unit, format, 1) << 3 | format;
}

/*
 * A unit that spent most of its part of the memory before does not speak for the
 * others: these try it themselves.
 */
static int make_identity(struct takeover_guard *guard,
			 struct takeover_identity *made, enum format format,
			 unsigned int levels, u64 limit, u64 key)
{
	struct identity identity = {
		.guard = guard,
		.format = format,
		.limit = limit,
	};
	bool poor = guard->budget.left < guard->unit->pool->left / 4;
	u64 top = 0;
	int ret = identity_word(&identity, levels + 1, 0, &top);

	if (ret)
		free_identity(guard, format, levels + 1, top);
	if (ret && poor)
		return ret;
	made->key = key;
	made->error = ret;
	made->top = ret ? 0 : top & VTD_SS_ADDR;
	return ret;
}

/* Return: the record of a table that is made, or was tried; NULL if there is no room. */
static struct takeover_identity *find_identity(struct takeover_pool *pool,
					       u64 key)
{
	unsigned int i;

	for (i = 0; i < TAKEOVER_IDENTITIES; i++)
		if (!pool->identities[i].key || pool->identities[i].key == key)
			return &pool->identities[i];
	return NULL;
}

/*
 * The table of all entries that let addresses through as they are. These get no
 * further than MGAW, and than the widest second stage of the unit (9.3, 9.6: AW);
 * a first stage may have less room. Return: 0; -ERANGE if it would not cover all
 * that there is; -ENOMEM if it would take more than is bearable, as is found once
 * for all units of the kind, or than this unit has left.
 */
static int identity_table(struct takeover_guard *guard, enum format format,
			  unsigned int levels, u64 *top)
{
	unsigned int bits = VTD_SS_PAGE_BITS + levels * VTD_SS_LEVEL_BITS;
	unsigned int width = FIELD_GET(VTD_CAP_MGAW, guard->unit->cap) + 1;
	struct takeover_identity *identity;
	u64 limit, key;

	if (levels < VTD_LARGE_LEVELS || levels > LEVELS_MAX)
		return -EOPNOTSUPP;
	/* 3.6: the upper half of first-stage addresses is the negative one. */
	if (format != SECOND_STAGE)
		bits--;
	/* A unit may say 64. */
	width = min(width, guard->unit->address_bits);
	limit = BIT_ULL(min(bits, width));
	if (format != SECOND_STAGE && bits < width &&
	    takeover_populated(limit, BIT_ULL(width) - limit))
		return -ERANGE;

	key = identity_key(guard, format, levels, limit);
	identity = find_identity(guard->unit->pool, key);
	if (!identity)
		return -ENOMEM;
	if (!identity->key && guard->identity_error)
		return guard->identity_error;
	if (!identity->key)
		guard->identity_error = make_identity(guard, identity, format,
						      levels, limit, key);
	*top = identity->top;
	return identity->key ? identity->error : guard->identity_error;
}

/* The id of all that pass through: they have one table. */
static int identity_did(struct takeover_guard *guard, u16 rid)
{
	int ret;

	if (guard->identity_did) {
		ret = takeover_tag(guard->unit, rid, guard->identity_did);
		return ret ? ret : guard->identity_did;
	}
	ret = takeover_other_did(guard->unit, rid);
	if (ret > 0)
		guard->identity_did = ret;
	return ret;
}

/*
 * An entry that lets addresses through has no table. If there is a number in its
 * place the unit may find fault with that, and a table would mend it.
 */
static bool is_in_order(const struct takeover_unit *unit, u64 pointer)
{
	return !(pointer >> unit->address_bits);
}

/* Return: 1 if @top is another table now, 0 if not, or a negative errno. */
static int guard_top(struct takeover_guard *guard, enum format format,
		     unsigned int levels, u64 *top)
{
	int became;

	if (levels > LEVELS_MAX)
		return -EOPNOTSUPP;
	if (!is_table(guard, *top))
		return -EFAULT;
	became = guard_table(guard, format, levels, *top);
	if (became < 0 || became == AS_IT_IS)
		return became;
	/* Nothing is left of it. */
	if (became < FIRST_COPY)
		return -EIO;
	guard->suspect = true;
	*top = virt_to_phys(copy_at(guard, became));
	return 1;
}

/*
 * The entry stays as it is, which stock would let it: nothing speaks against the
 * device, and only @error against a guard. Return: 0; @error if the option
 * guard=strict asks for that.
 */
static int go_unguarded(struct takeover_guard *guard, int error)
{
	if (guard->unit->strict)
		return error;
	guard->unit->nr_unguarded++;
	guard->unit->unguarded_error = error;
	return 0;
}

static int guard_legacy(struct takeover_guard *guard, u16 rid, u64 *entry)
{
	unsigned int levels = vtd_paging_levels(FIELD_GET(VTD_CTX_AW,
							  entry[1]));
	u64 top = entry[0] & VTD_CTX_SSPTPTR, word;
	int ret, did;

	if (FIELD_GET(VTD_CTX_TT, entry[0]) < VTD_TT_PASS_THROUGH) {
		ret = guard_top(guard, SECOND_STAGE, levels, &top);
		if (ret > 0)
			WRITE_ONCE(entry[0],
				   (entry[0] & ~VTD_CTX_SSPTPTR) | top);
		return ret;
	}
	/* Reserved types and widths: nobody knows what they let through. */
	if (FIELD_GET(VTD_CTX_TT, entry[0]) != VTD_TT_PASS_THROUGH ||
	    !(guard->unit->ecap & VTD_ECAP_PT) ||
	    !is_in_order(guard->unit, top) ||
	    !(FIELD_GET(VTD_CAP_SAGAW, guard->unit->cap) &
	      BIT_ULL(FIELD_GET(VTD_CTX_AW, entry[1]))))
		return -EOPNOTSUPP;

	ret = identity_table(guard, SECOND_STAGE, levels, &top);
	did = ret ? ret : identity_did(guard, rid);
	if (did < 0)
		return go_unguarded(guard, did);
	word = entry[1] & ~VTD_CTX_DID;
	WRITE_ONCE(entry[1], word | FIELD_PREP(VTD_CTX_DID, did));
	word = entry[0] & ~(VTD_CTX_SSPTPTR | VTD_CTX_TT);
	WRITE_ONCE(entry[0], word | top);
	return 1;
}

/* The widest second-stage table that the unit walks, 57 bits at most; 0: none. */
static unsigned int widest_second_stage(const struct takeover_unit *unit)
{
	unsigned int aw;

	if (!(unit->ecap & VTD_ECAP_SSTS))
		return 0;
	for (aw = 3; aw; aw--)
		if (FIELD_GET(VTD_CAP_SAGAW, unit->cap) & BIT_ULL(aw))
			return aw;
	return 0;
}

/* A PASID entry that lets addresses through gets tables that do. */
static int guard_pass_through(struct takeover_guard *guard, u16 rid, u64 *entry)
{
	unsigned int aw = widest_second_stage(guard->unit);
	u64 words[3] = { entry[0], entry[1], entry[2] }, top;
	int ret, did;

	if (!(guard->unit->ecap & VTD_ECAP_PT) ||
	    (!aw && !(guard->unit->ecap & VTD_ECAP_FSTS)) ||
	    !is_in_order(guard->unit, words[0] & VTD_PTE_SSPTPTR) ||
	    !is_in_order(guard->unit, words[2] & VTD_PTE_FSPTPTR))
		return -EOPNOTSUPP;
	ret = aw ? identity_table(guard, SECOND_STAGE, vtd_paging_levels(aw),
				  &top) :
		   identity_table(guard, FIRST_STAGE, 4, &top);
	did = ret ? ret : identity_did(guard, rid);
	if (did < 0)
		return go_unguarded(guard, did);

	words[0] &= ~(VTD_PTE_SSPTPTR | VTD_PTE_PGTT);
	if (aw) {
		words[0] &= ~VTD_PTE_AW;
		words[0] |= top | FIELD_PREP(VTD_PTE_AW, aw) |
			    FIELD_PREP(VTD_PTE_PGTT, VTD_PGTT_SECOND_STAGE);
	} else {
		/* The driver sets AW here, too, and QEMU goes by it. */
		words[0] |= FIELD_PREP(VTD_PTE_PGTT, VTD_PGTT_FIRST_STAGE);
		words[2] = top;
		/* 9.6: or else a supervisor, whom nothing held up, would be. */
		if (guard->unit->ecap & VTD_ECAP_SRS)
			words[2] |= VTD_PTE_SRE;
	}
	entry[0] = words[0];
	entry[1] = (words[1] & ~VTD_PTE_DID) | FIELD_PREP(VTD_PTE_DID, did);
	entry[2] = words[2];
	return 1;
}

static int guard_first_stage(struct takeover_guard *guard, u64 *entry)
{
	enum format format = entry[2] & VTD_PTE_SRE ? FIRST_STAGE :
						      FIRST_STAGE_USER;
	u64 top = entry[2] & VTD_PTE_FSPTPTR;
	unsigned int levels;
	int ret;

	switch (FIELD_GET(VTD_PTE_FSPM, entry[2])) {
	case VTD_FSPM_4_LEVELS:
		levels = 4;
		break;
	case VTD_FSPM_5_LEVELS:
		levels = 5;
		break;
	default:
		return -EOPNOTSUPP;
	}
	ret = guard_top(guard, format, levels, &top);
	if (ret > 0)
		entry[2] = (entry[2] & ~VTD_PTE_FSPTPTR) | top;
	return ret;
}

static int guard_second_stage(struct takeover_guard *guard, u64 *entry)
{
	unsigned int levels = vtd_paging_levels(FIELD_GET(VTD_PTE_AW,
							  entry[0]));
	u64 top = entry[0] & VTD_PTE_SSPTPTR;
	int ret = guard_top(guard, SECOND_STAGE, levels, &top);

	if (ret > 0)
		entry[0] = (entry[0] & ~VTD_PTE_SSPTPTR) | top;
	return ret;
}

/*
 * 9.5, 9.6: an entry of a directory or PASID table that blocks. Return: 1; or
 * @error if it is all that the device has, which is dropped and told of then.
 */
static int silence(struct takeover_guard *guard, u64 *entry, int error)
{
	if (guard->alone)
		return error;
	return replace(guard, 0, entry, VTD_CTX_FPD);
}

/*
 * An entry of a PASID table in a buffer. What cannot be guarded is one stream of
 * the device, and is blocked alone; but for the budget, which is all its
 * devices'.
 */
static int guard_pasid(struct takeover_guard *guard, u16 rid, u64 *entry)
{
	int ret = -EOPNOTSUPP;

	if (!(entry[0] & VTD_CTX_PRESENT))
		return 0;
	switch (FIELD_GET(VTD_PTE_PGTT, entry[0])) {
	case VTD_PGTT_FIRST_STAGE:
		ret = guard_first_stage(guard, entry);
		break;
	case VTD_PGTT_SECOND_STAGE:
	case VTD_PGTT_NESTED:
		ret = guard_second_stage(guard, entry);
		break;
	case VTD_PGTT_PASS_THROUGH:
		ret = guard_pass_through(guard, rid, entry);
		break;
	}
	if (ret != -EOPNOTSUPP && ret != -EFAULT && ret != -EIO)
		return ret;
	return silence(guard, entry, ret);
}

/* A PASID table or directory, of ours or of the crashed kernel. */
static bool is_known(struct takeover_guard *guard, u64 addr, size_t size)
{
	struct takeover_span span;

	return takeover_is_copy(guard->unit, addr) ||
	       (takeover_oldmem_plausible(addr, size) &&
		!takeover_forbidden(addr, size, &span));
}

static int read_table(struct takeover_guard *guard, u64 *buffer, u64 addr,
		      size_t size)
{
	const u64 *table = phys_to_virt(addr);
	unsigned int i;

	if (!takeover_is_copy(guard->unit, addr))
		return vtd_read_oldmem(buffer, addr, size);
	for (i = 0; i < size / sizeof(u64); i++)
		buffer[i] = READ_ONCE(table[i]);
	return 0;
}

/*
 * Of devices that pass through all tables are alike, and so are those of devices
 * of one domain: @last is a copy that is used again if it says the same. Return:
 * where the changed table is now, 0 if there is no page for it.
 */
static u64 write_table(struct takeover_guard *guard, const u64 *buffer,
		       u64 addr, u64 **last)
{
	bool ours = takeover_is_copy(guard->unit, addr);
	unsigned int i;
	u64 *table;

	if (!ours && *last && !memcmp(*last, buffer, VTD_TABLE_SIZE))
		return virt_to_phys(*last);
	table = ours ? phys_to_virt(addr) : new_copy(guard);
	if (!table)
		return 0;
	for (i = 0; i < VTD_TABLE_WORDS; i++)
		keep_word(table, i, buffer[i]);
	vtd_flush_lines(table, VTD_TABLE_SIZE);
	if (!ours)
		*last = table;
	return virt_to_phys(table);
}

/* A PASID table, by its directory entry in a buffer. */
static int guard_pasids(struct takeover_guard *guard, u16 rid, u64 *pde,
			unsigned int first, unsigned int end)
{
	u64 addr = *pde & VTD_PDE_SMPTBLPTR;
	int ret, changed = 0;
	unsigned int i;

	if (!(*pde & VTD_CTX_PRESENT))
		return 0;
	if (!is_known(guard, addr, VTD_TABLE_SIZE))
		return silence(guard, pde, -EFAULT);
	ret = read_table(guard, guard->pasids, addr, VTD_TABLE_SIZE);
	if (ret == -EIO)
		return silence(guard, pde, -EIO);
	if (ret)
		return ret;

	for (i = first; i < end; i++) {
		ret = guard_pasid(guard, rid,
				  guard->pasids + i * VTD_PTE_WORDS);
		if (ret < 0)
			return ret;
		changed |= ret;
	}
	if (!changed)
		return 0;
	addr = write_table(guard, guard->pasids, addr, &guard->last_table);
	if (!addr)
		return -ENOMEM;
	*pde = (*pde & ~VTD_PDE_SMPTBLPTR) | addr;
	return 1;
}

/* PASIDs of a device, the last one not among them. */
struct pasids {
	unsigned int	first;
	unsigned int	end;
};

/* Without PASIDs only one entry is looked at by hardware. */
static struct pasids pasids_of(const struct takeover_unit *unit,
			       const u64 *entry)
{
	unsigned int pdes = vtd_pasid_directory_size(entry[0]) / sizeof(u64);
	unsigned int pasid = takeover_rid_pasid(unit, entry);

	if (entry[0] & VTD_SM_CTX_PASIDE)
		return (struct pasids){ 0, pdes * VTD_PASIDS_PER_TABLE };
	return (struct pasids){ pasid, pasid + 1 };
}

/*
 * A page of a directory, in a buffer; @base is its first PASID. Return: 1 if
 * one of its entries is another one now, 0 if none, or a negative errno.
 */
static int guard_directory_page(struct takeover_guard *guard, u16 rid,
				unsigned int base, struct pasids pasids)
{
	unsigned int i, first, end;
	int ret, changed = 0;

	for (i = 0; i < VTD_TABLE_WORDS; i++, base += VTD_PASIDS_PER_TABLE) {
		first = max(pasids.first, base);
		end = min(pasids.end, base + VTD_PASIDS_PER_TABLE);
		if (first >= end)
			continue;
		ret = guard_pasids(guard, rid, guard->directory + i,
				   first - base, end - base);
		if (ret < 0)
			return ret;
		changed |= ret;
	}
	return changed;
}

static bool is_in_use(const u64 *page)
{
	unsigned int i;

	for (i = 0; i < VTD_TABLE_WORDS; i++)
		if (page[i] & VTD_CTX_PRESENT)
			return true;
	return false;
}

/* Reads part of a directory; what does not belong to it is empty. */
static int read_directory(struct takeover_guard *guard, u64 addr, size_t size)
{
	unsigned int i;

	for (i = size / sizeof(u64); i < VTD_TABLE_WORDS; i++)
		guard->directory[i] = 0;
	return read_table(guard, guard->directory, addr,
			  min(size, VTD_TABLE_SIZE));
}

/*
 * A copy of a directory has one page. Where others are in use beside one that
 * changes, no copy will do.
 */
static int guard_scalable(struct takeover_guard *guard, u16 rid, u64 *entry)
{
	u64 addr = entry[0] & VTD_SM_CTX_PASIDDIRPTR, copy = 0, word;
	size_t size = vtd_pasid_directory_size(entry[0]), at;
	struct pasids pasids = pasids_of(guard->unit, entry);
	unsigned int base;
	int ret;

	if (!is_known(guard, addr, size))
		return -EFAULT;
	guard->alone = !(entry[0] & VTD_SM_CTX_PASIDE);
	for (at = 0; at < size; at += VTD_TABLE_SIZE) {
		base = at / sizeof(u64) * VTD_PASIDS_PER_TABLE;
		ret = read_directory(guard, addr + at, size - at);
		if (!ret)
			ret = guard_directory_page(guard, rid, base, pasids);
		if (ret < 0)
			return ret;
		if (at && (ret || (copy && is_in_use(guard->directory))))
			return -E2BIG;
		if (ret) {
			copy = write_table(guard, guard->directory, addr,
					   &guard->last_directory);
			if (!copy)
				return -ENOMEM;
		}
	}
	if (!copy)
		return 0;

	word = entry[0] & ~VTD_SM_CTX_PASIDDIRPTR;
	if (size > VTD_TABLE_SIZE)
		word = (word & ~VTD_SM_CTX_PDTS) |
		       FIELD_PREP(VTD_SM_CTX_PDTS, VTD_PDTS_OF_PAGE);
	WRITE_ONCE(entry[0], word | copy);
	return 1;
}

static void end_walk(struct takeover_guard *guard)
{
	unsigned int i;

	takeover_memo_forget(&guard->memo);
	for (i = 0; i < COPY_PAGES && guard->copies[i]; i++)
		takeover_budget_free(&guard->budget, guard->copies[i]);
	for (i = 0; i < LEVELS_MAX && guard->buffer[i]; i++)
		takeover_budget_free(&guard->budget, guard->buffer[i]);
	if (guard->pasids)
		takeover_budget_free(&guard->budget, guard->pasids);
	if (guard->directory)
		takeover_budget_free(&guard->budget, guard->directory);
	if (guard->blocks)
		takeover_budget_free(&guard->budget, (u64 *)guard->blocks);
	guard->unit->nr_guard_pages = guard->budget.used;
	guard->unit->pool->left -= guard->budget.used;
	vtd_free_table(guard);
}

static struct takeover_guard *begin_walk(struct takeover_unit *unit)
{
	struct takeover_guard *guard = vtd_alloc_table(unit, TAKEOVER_GFP);
	unsigned int i;

	static_assert(sizeof(*guard) <= VTD_TABLE_SIZE);

	if (!guard)
		return NULL;
	fill_scratch();
	guard->unit = unit;
	guard->budget.unit = unit;
	/* There may be others, and they may need it more. */
	guard->budget.left = unit->pool->left / 2;
	guard->memo.budget = &guard->budget;
	guard->visits = clamp(takeover_oldmem_pages(), (u64)VISITS_MIN,
			      (u64)VISITS_MAX);
	guard->tables.first = 1;
	guard->free.first = 1;
	for (i = 0; i < LEVELS_MAX; i++) {
		guard->buffer[i] = takeover_budget_page(&guard->budget);
		if (!guard->buffer[i])
			goto fail;
	}
	guard->pasids = takeover_budget_page(&guard->budget);
	guard->directory = takeover_budget_page(&guard->budget);
	guard->blocks = (u8 *)takeover_budget_page(&guard->budget);
	if (guard->pasids && guard->directory && guard->blocks) {
		takeover_forbidden_blocks(guard->blocks);
		takeover_memo_begin(&guard->memo);
		return guard;
	}
fail:
	end_walk(guard);
	return NULL;
}

/* What a device took that gets nothing for it, for others to use. */
static void take_back(struct takeover_guard *guard, unsigned int copies)
{
	while (guard->nr_copies > copies)
		takeover_budget_free(&guard->budget,
				     copy_at(guard, --guard->nr_copies +
						    FIRST_COPY));
	/* They tell of copies that are gone. */
	takeover_memo_forget(&guard->memo);
	guard->last_table = NULL;
	guard->last_directory = NULL;
}

/*
 * Return: 1 if the entry is another one now, 0 if not, or a negative errno. No
 * memory or time to look at tables says nothing about them; none to repair them
 * does.
 */
static int guard_entry(struct takeover_guard *guard, u16 rid, u64 *entry)
{
	unsigned int copies;
	int ret;

	if (!guard)
		return -ENOMEM;
	copies = guard->nr_copies;
	guard->suspect = false;
	guard->share = guard->visits / 2;
	guard->visited = 0;
	ret = guard->unit->scalable ? guard_scalable(guard, rid, entry) :
				      guard_legacy(guard, rid, entry);
	guard->visits -= guard->visited;
	if (ret != -ENOMEM && ret != -E2BIG)
		return ret;
	take_back(guard, copies);
	return guard->suspect ? ret : go_unguarded(guard, ret);
}

static int allow_reserved(u16 rid, u64 start, u64 end, void *data)
{
	struct takeover_unit *unit = data;

	unsigned int i;

	if (!takeover_allow(start, end + 1))
		return 0;
	/* Tables of before lack it. Hardware may walk them: they stay. */
	for (i = 0; i < TAKEOVER_IDENTITIES; i++)
		unit->pool->identities[i] = (struct takeover_identity){ };
	pr_warn("%s: %02x:%02x.%x: its reserved memory %#llx-%#llx is this kernel's: devices reach it\n",
		unit->name, VTD_RID_BUS(rid), VTD_RID_SLOT(rid),
		VTD_RID_FUNCTION(rid), start, end);
	return 0;
}

/**
 * takeover_guard - keep adopted devices out of forbidden memory
 * @unit: unit whose old tables were copied; hardware does not see the copies
 *
 * An entry that cannot be guarded is dropped if its tables speak against it, or if
 * that is asked for. Nothing that is allocated here for hardware to read is freed
 * again. What firmware reserves is not forbidden, wherever it lies.
 */
void takeover_guard(struct takeover_unit *unit)
{
	struct takeover_guard *guard;
	unsigned int rid;
	u64 *entry;
	int ret;

	if (unit->unguarded)
		return;
	vtd_visit_reserved(unit, allow_reserved, unit);
	if (!takeover_forbidden_pages())
		return;

	guard = begin_walk(unit);
	if (!guard && !unit->strict) {
		unit->unguarded = true;
		unit->unguarded_error = -ENOMEM;
		return;
	}
	for_each_set_bit(rid, unit->adopted, TAKEOVER_RIDS) {
		entry = takeover_context_entry(unit, rid);
		ret = guard_entry(guard, rid, entry);
		if (ret < 0)
			takeover_drop_entry(unit, rid, entry,
					    "its tables cannot be guarded",
					    ret);
		else
			unit->nr_repaired += ret;
		if (ret)
			vtd_flush_lines(entry, takeover_entry_words(unit) *
					       sizeof(*entry));
	}
	if (guard)
		end_walk(guard);
}

/* An entry that was guarded leads to old tables, or to copies in our memory. */
static bool leads_to_copies(const struct takeover_unit *unit, const u64 *entry)
{
	u64 pointer = unit->scalable ? VTD_SM_CTX_PASIDDIRPTR : VTD_CTX_SSPTPTR;

	return takeover_all_forbidden(READ_ONCE(entry[0]) & pointer,
				      VTD_TABLE_SIZE);
}

/**
 * takeover_guard_devices - empty what devices know of forbidden memory
 * @unit: unit that uses our root table, nothing of old in its caches
 *
 * A device-TLB may hold what was cut from its device's tables. A device that
 * does not forget is blocked: a translated request needs a present entry (4.1).
 */
void takeover_guard_devices(struct takeover_unit *unit)
{
	unsigned int rid;

	if (!unit->nr_repaired)
		return;
	for_each_set_bit(rid, unit->adopted, TAKEOVER_RIDS) {
		if (test_bit(rid, unit->confined) ||
		    !leads_to_copies(unit, takeover_context_entry(unit, rid)) ||
		    !takeover_make_forget(unit, rid))
			continue;
		takeover_evict_rid(unit, rid, -ETIMEDOUT);
		unit->nr_adopted--;
		unit->nr_dropped++;
		pr_warn("%s: %02x:%02x.%x: blocked, it does not forget where it had access\n",
			unit->name, VTD_RID_BUS(rid), VTD_RID_SLOT(rid),
			VTD_RID_FUNCTION(rid));
	}
}
