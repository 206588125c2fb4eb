// SPDX-License-Identifier: GPL-2.0-only
/*
 * Domain ids: which of them the crashed kernel's entries use, and for how long.
 *
 * Domain ids tag what the caches hold. As long as an adopted entry uses one no
 * new domain may have it. Nothing is given back at a release, which would cost
 * each of them a search: when the driver finds no free id it is seen which are
 * used no more. A unit may have no more than 16.
 *
 * Where old entries still use all of them a new domain needs one nevertheless:
 * the dump's disk may wait for it. Then some device loses its old mappings.
 *
 * One id belongs to the driver. Linux tags pass-through entries with it and, in
 * scalable mode, first-stage entries too (6.2.3.1), whichever kernel it is. An
 * old entry that uses it for a second-stage table gets another id, in a copy. The
 * IOTLB may hold pages under any id, of entries too that the tables do not have
 * any more: all caches are emptied before hardware sees the copy, and nothing
 * fills them anew under an id that no entry of the old tables has.
 */
#define pr_fmt(fmt) "DMAR: takeover: " fmt

#include <linux/bitmap.h>
#include <linux/bitops.h>
#include <linux/build_bug.h>
#include <linux/compiler.h>
#include <linux/errno.h>
#include <linux/gfp.h>
#include <linux/io.h>
#include <linux/printk.h>

#include "env.h"
#include "unit.h"

#define TAGS_PER_PAGE	(VTD_TABLE_SIZE / sizeof(struct takeover_tag))
#define TAGS_MAX	(TAKEOVER_TAG_PAGES * TAGS_PER_PAGE)

/* A process's table is the same for many PASIDs of a device. */
#define LOOK_BACK	64u

static struct takeover_tag *tag_at(const struct takeover_unit *unit,
				   unsigned int i)
{
	return unit->tags[i / TAGS_PER_PAGE] + i % TAGS_PER_PAGE;
}

static bool is_tagged(const struct takeover_unit *unit, u16 rid, u16 did)
{
	unsigned int i, looked = 0;

	for (i = unit->nr_tags; i && looked < LOOK_BACK; i--, looked++) {
		const struct takeover_tag *tag = tag_at(unit, i - 1);

		if (tag->rid != rid)
			return false;
		if (tag->did == did)
			return true;
	}
	return false;
}

static int add_tag(struct takeover_unit *unit, u16 rid, u16 did)
{
	unsigned int page = unit->nr_tags / TAGS_PER_PAGE;

	if (unit->nr_tags == TAGS_MAX)
		return -E2BIG;
	if (!unit->tags[page])
		unit->tags[page] = vtd_alloc_table(unit, TAKEOVER_GFP);
	if (!unit->tags[page])
		return -ENOMEM;
	*tag_at(unit, unit->nr_tags++) = (struct takeover_tag){ rid, did };
	return 0;
}

/**
 * takeover_tag - note that an entry uses a domain id
 * @unit: unit
 * @rid: requester id that the entry is for
 * @did: domain id; one that the unit does not implement is nobody's
 *
 * In scalable mode it is remembered who uses it: the context entry does not say
 * which ids its PASIDs have, and old memory is read at adoption only.
 *
 * Return: 0; -E2BIG if there is no room to remember it; -ENOMEM.
 */
int takeover_tag(struct takeover_unit *unit, u16 rid, unsigned int did)
{
	if (did >= vtd_domain_ids(unit->cap))
		return 0;

	takeover_keep_did(unit, did);
	if (!unit->scalable || is_tagged(unit, rid, did))
		return 0;
	return add_tag(unit, rid, did);
}

/**
 * takeover_other_did - take a domain id for an adopted entry
 * @unit: unit
 * @rid: requester id that the entry is for
 *
 * Hardware uses it before it has forgotten the old tables: so it must not be in
 * these, and all ids in them have to be known.
 *
 * Return: as takeover_new_did(), -ENODATA if they are not.
 */
int takeover_other_did(struct takeover_unit *unit, u16 rid)
{
	return unit->ids_unknown ? -ENODATA : takeover_new_did(unit, rid);
}

/**
 * takeover_new_did - take a domain id for an entry of ours
 * @unit: unit
 * @rid: requester id that the entry is for
 *
 * Return: the id, which becomes free when the device is released; a negative
 * errno if there is none.
 */
int takeover_new_did(struct takeover_unit *unit, u16 rid)
{
	int did = vtd_new_did(unit);
	int ret;

	if (did < 0)
		return did;
	ret = takeover_tag(unit, rid, did);
	if (ret) {
		vtd_free_did(unit, did);
		return ret;
	}
	return did;
}

/*
 * Another id for the second-stage table at @table. A kernel that gives out the
 * id in question gives it to one domain: mostly it is the same table again.
 */
static int new_tag(struct takeover_unit *unit, u16 rid, u64 table)
{
	int did;

	if (unit->retagged_did && unit->retagged_table == table) {
		did = takeover_tag(unit, rid, unit->retagged_did);
		return did ? did : unit->retagged_did;
	}

	did = takeover_other_did(unit, rid);
	if (did < 0)
		return did;
	unit->retagged_table = table;
	unit->retagged_did = did;
	return did;
}

static int retag_legacy(struct takeover_unit *unit, u16 rid, u64 *entry)
{
	u64 word = entry[1];
	int did;

	if (FIELD_GET(VTD_CTX_DID, word) != TAKEOVER_DID_OF_DRIVER ||
	    FIELD_GET(VTD_CTX_TT, entry[0]) == VTD_TT_PASS_THROUGH)
		return 0;

	did = new_tag(unit, rid, entry[0] & VTD_CTX_SSPTPTR);
	if (did < 0)
		return did;
	word &= ~VTD_CTX_DID;
	WRITE_ONCE(entry[1], word | FIELD_PREP(VTD_CTX_DID, did));
	return 0;
}

/**
 * takeover_retag_pasid - give a PASID entry another id, if it has the driver's
 * @unit: unit
 * @rid: requester id that the entry is for
 * @entry: copy of the entry
 *
 * Return: 1 if it gets another one, 0 if it was good; -ENOSPC or the like if
 * there is none.
 */
int takeover_retag_pasid(struct takeover_unit *unit, u16 rid, u64 *entry)
{
	unsigned int type = FIELD_GET(VTD_PTE_PGTT, entry[0]);
	u64 word = entry[1];
	int did;

	if (!(entry[0] & VTD_CTX_PRESENT) ||
	    FIELD_GET(VTD_PTE_DID, word) != TAKEOVER_DID_OF_DRIVER ||
	    (type != VTD_PGTT_SECOND_STAGE && type != VTD_PGTT_NESTED))
		return 0;

	did = new_tag(unit, rid, entry[0] & VTD_PTE_SSPTPTR);
	if (did < 0)
		return did;
	word &= ~VTD_PTE_DID;
	WRITE_ONCE(entry[1], word | FIELD_PREP(VTD_PTE_DID, did));
	return 1;
}

static void retag(struct takeover_unit *unit)
{
	unsigned int rid;
	u64 *entry;
	int ret;

	for_each_set_bit(rid, unit->adopted, TAKEOVER_RIDS) {
		entry = takeover_context_entry(unit, rid);
		ret = unit->scalable ? takeover_retag_pasids(unit, rid, entry) :
				       retag_legacy(unit, rid, entry);
		if (ret)
			takeover_drop_entry(unit, rid, entry,
					    "its domain id is the driver's, and it gets no other",
					    ret);
		vtd_flush_lines(entry,
				takeover_entry_words(unit) * sizeof(*entry));
	}
}

/**
 * takeover_settle_dids - keep the ids of adopted entries from new domains
 * @unit: unit whose old tables were copied; hardware does not see the copies
 *
 * An old page table with the driver's id gets another one now that the ids of
 * all entries are known.
 */
void takeover_settle_dids(struct takeover_unit *unit)
{
	bool of_driver = test_bit(TAKEOVER_DID_OF_DRIVER, unit->dids);
	unsigned int i;

	/* The driver took them for itself: neither is ever free. */
	__clear_bit(0, unit->dids);
	__clear_bit(TAKEOVER_DID_OF_DRIVER, unit->dids);

	for (i = 0; i <= BIT_WORD(unit->max_did); i++)
		if (unit->dids[i])
			vtd_reserve_dids(unit, i * BITS_PER_LONG,
					 unit->dids[i]);
	if (of_driver)
		retag(unit);
}

/* An id that an entry uses which was not released yet. */
struct use {
	unsigned int	at;
	u16		rid;
	u16		did;
};

/* In order of requester ids. */
static bool next_use(const struct takeover_unit *unit, struct use *use)
{
	const struct takeover_tag *tag;

	if (!unit->scalable) {
		use->at = find_next_bit(unit->adopted, TAKEOVER_RIDS, use->at);
		if (use->at == TAKEOVER_RIDS)
			return false;
		use->rid = use->at++;
		use->did = FIELD_GET(VTD_CTX_DID,
				     READ_ONCE(takeover_context_entry(unit,
								      use->rid)[1]));
		return true;
	}
	while (use->at < unit->nr_tags) {
		tag = tag_at(unit, use->at++);
		if (!test_bit(tag->rid, unit->adopted))
			continue;
		use->rid = tag->rid;
		use->did = tag->did;
		return true;
	}
	return false;
}

/* Which ids are used, and which by more than one requester? */
static void find_live(struct takeover_unit *unit)
{
	struct use use = { };

	bitmap_zero(unit->pool->live, TAKEOVER_DIDS);
	bitmap_zero(unit->pool->shared, TAKEOVER_DIDS);
	while (next_use(unit, &use)) {
		if (test_bit(use.did, unit->pool->live))
			__set_bit(use.did, unit->pool->shared);
		__set_bit(use.did, unit->pool->live);
	}
}

/* Each of them was invalidated when its entries were released. */
static bool free_dead(struct takeover_unit *unit)
{
	unsigned int did;
	bool any = false;

	find_live(unit);
	for_each_set_bit(did, unit->dids, TAKEOVER_DIDS) {
		if (test_bit(did, unit->pool->live))
			continue;
		__clear_bit(did, unit->dids);
		vtd_free_did(unit, did);
		any = true;
	}
	return any;
}

/**
 * takeover_is_spared - does firmware need a device's entry?
 * @unit: unit
 * @rid: requester id
 *
 * The device would lose its reserved memory (8.4, RMRR) as well.
 */
bool takeover_is_spared(const struct takeover_unit *unit, u16 rid)
{
	unsigned int i;

	for (i = 0; i < unit->nr_firmware; i++)
		if (unit->firmware[i] == rid)
			return true;
	return false;
}

static bool may_evict(const struct takeover_unit *unit, const struct use *use)
{
	return test_bit(use->did, unit->dids) && !takeover_is_spared(unit, use->rid);
}

static void evict(struct takeover_unit *unit, u16 rid)
{
	takeover_evict_rid(unit, rid, -ENOSPC);
	pr_warn("%s: %02x:%02x.%x: blocked, a new domain needs its domain id\n",
		unit->name, VTD_RID_BUS(rid), VTD_RID_SLOT(rid),
		VTD_RID_FUNCTION(rid));
}

/*
 * The requester with the most ids that nobody else uses: whoever has more than
 * its share of them goes first. Among equals it is the one that has the highest
 * id. Linux gives out the lowest one first, and so the highest is that of a
 * domain made late, not of a device that the machine booted from.
 */
static bool evict_greediest(struct takeover_unit *unit)
{
	unsigned int n = 0, most = 0;
	struct use use = { }, victim = { };
	int last = -1;

	while (next_use(unit, &use)) {
		n = use.rid == last ? n : 0;
		last = use.rid;
		if (!may_evict(unit, &use) || test_bit(use.did, unit->pool->shared))
			continue;
		n++;
		if (n > most || (n == most && use.did > victim.did)) {
			most = n;
			victim = use;
		}
	}
	if (most)
		evict(unit, victim.rid);
	return most;
}

/* Where no id is a single requester's: all that have the highest one. */
static bool evict_highest(struct takeover_unit *unit)
{
	struct use use = { };
	unsigned int did = 0;

	while (next_use(unit, &use))
		if (use.did > did && may_evict(unit, &use))
			did = use.did;
	if (!did)
		return false;

	use.at = 0;
	while (next_use(unit, &use))
		if (use.did == did && may_evict(unit, &use))
			evict(unit, use.rid);
	return true;
}

/**
 * takeover_spare_did - see to it that a new domain finds a free id
 * @unit: unit with a root table of ours
 *
 * Does not sleep. The caller keeps others away from the unit's context tables
 * and domain ids, and from this function.
 *
 * Return: false if there is none, and no device that could do without its own,
 * or if there is no memory to find one.
 */
bool takeover_spare_did(struct takeover_unit *unit)
{
	int did;

	if (unit->state != TAKEOVER_INSTALLED)
		return false;

	while (true) {
		did = vtd_new_did(unit);
		if (did >= 0) {
			vtd_free_did(unit, did);
			return true;
		}
		if (did != -ENOSPC)
			return false;
		if (!free_dead(unit) && !evict_greediest(unit) &&
		    !evict_highest(unit))
			return false;
	}
}
