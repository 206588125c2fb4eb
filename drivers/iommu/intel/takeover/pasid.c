// SPDX-License-Identifier: GPL-2.0-only
/*
 * PASID directories and tables.
 *
 * Of these structures of the old kernel only the domain ids are read, which
 * tag what the caches hold for a device. They stay where they are, and what
 * else they say is not judged.
 */
#include <linux/errno.h>
#include <linux/minmax.h>

#include "env.h"
#include "unit.h"

/* Read at once, on the stack. */
#define PART_WORDS	64u

/*
 * Pages of directories and tables of one unit that are read: the directories
 * of two thousand functions that have every PASID. More are pages that repeat
 * themselves, and would take for ever.
 */
#define PASID_PAGES_MAX		65536

/* A directory may be less than a page. */
static bool too_many(struct takeover_unit *unit, size_t size)
{
	unit->nr_pasid_pages += (size + VTD_TABLE_SIZE - 1) / VTD_TABLE_SIZE;
	return unit->nr_pasid_pages > PASID_PAGES_MAX;
}

/* 9.4: without ECAP.RPS the field is reserved, and the PASID is 0. */
static unsigned int rid_pasid(const struct takeover_unit *unit,
			      const u64 *entry)
{
	if (!(unit->ecap & VTD_ECAP_RPS))
		return 0;
	return FIELD_GET(VTD_SM_CTX_RID_PASID, entry[1]);
}

/* What the caches are not filled from needs no id. */
static void reserve_ids(struct takeover_unit *unit, phys_addr_t addr,
			unsigned int entries)
{
	u64 part[PART_WORDS];
	unsigned int i, words;

	if (!takeover_oldmem_plausible(addr, entries * VTD_PTE_SIZE))
		return;

	for (; entries; entries -= words / VTD_PTE_WORDS) {
		words = min(entries * VTD_PTE_WORDS, PART_WORDS);
		if (vtd_read_oldmem(part, addr, words * sizeof(u64)))
			return;
		for (i = 0; i < words; i += VTD_PTE_WORDS)
			if (part[i] & VTD_CTX_PRESENT)
				takeover_reserve_did(unit,
						     FIELD_GET(VTD_PTE_DID,
							       part[i + 1]));
		addr += words * sizeof(u64);
	}
}

/* Requests without PASID use one entry. */
static void reserve_rid_pasid(struct takeover_unit *unit, const u64 *entry)
{
	unsigned int pasid = rid_pasid(unit, entry);
	size_t at = pasid / VTD_PASIDS_PER_TABLE * sizeof(u64);
	u64 pde;

	if (at >= vtd_pasid_directory_size(entry[0]))
		return;
	if (vtd_read_oldmem(&pde, (entry[0] & VTD_SM_CTX_PASIDDIRPTR) + at,
			    sizeof(pde)))
		return;
	if (pde & VTD_CTX_PRESENT)
		reserve_ids(unit,
			    (pde & VTD_PDE_SMPTBLPTR) +
			    pasid % VTD_PASIDS_PER_TABLE * VTD_PTE_SIZE, 1);
}

/**
 * takeover_reserve_pasids - keep the domain ids of a device's PASIDs
 * @unit: unit in scalable mode
 * @entry: the device's context entry; its directory lies in old RAM
 *
 * What cannot be read, or is not in old RAM, is passed over.
 *
 * Return: 0, or -E2BIG if there are more of them than can be true.
 */
int takeover_reserve_pasids(struct takeover_unit *unit, const u64 *entry)
{
	phys_addr_t addr = entry[0] & VTD_SM_CTX_PASIDDIRPTR;
	size_t size = vtd_pasid_directory_size(entry[0]);
	u64 part[PART_WORDS];
	unsigned int i;

	if (!(entry[0] & VTD_SM_CTX_PASIDE)) {
		reserve_rid_pasid(unit, entry);
		return 0;
	}

	if (too_many(unit, size))
		return -E2BIG;
	for (; size; size -= sizeof(part), addr += sizeof(part)) {
		if (vtd_read_oldmem(part, addr, sizeof(part)))
			continue;
		for (i = 0; i < PART_WORDS; i++) {
			if (!(part[i] & VTD_CTX_PRESENT))
				continue;
			if (too_many(unit, VTD_TABLE_SIZE))
				return -E2BIG;
			reserve_ids(unit, part[i] & VTD_PDE_SMPTBLPTR,
				    VTD_PASIDS_PER_TABLE);
		}
	}
	return 0;
}
