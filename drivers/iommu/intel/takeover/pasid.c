// SPDX-License-Identifier: GPL-2.0-only
/*
 * PASID directories and tables.
 *
 * Of these structures of the old kernel only one entry per device is looked
 * at, the one for its requests without PASID: the domain id in it tags what
 * the caches hold for the device. They stay where they are, and what else they
 * say is not judged.
 */
#include <linux/errno.h>

#include "env.h"
#include "unit.h"

/* 9.4: without ECAP.RPS the field is reserved, and the PASID is 0. */
static unsigned int rid_pasid(const struct takeover_unit *unit,
			      const u64 *entry)
{
	if (!(unit->ecap & VTD_ECAP_RPS))
		return 0;
	return FIELD_GET(VTD_SM_CTX_RID_PASID, entry[1]);
}

/**
 * takeover_rid_did - the domain id of a device's requests without PASID
 * @unit: unit in scalable mode
 * @entry: the device's context entry; its directory lies in old RAM
 *
 * Return: the id; -ERANGE or -ENOENT if the unit faults such requests, -EFAULT
 * if the table is not in old RAM, -EIO if it cannot be read.
 */
int takeover_rid_did(const struct takeover_unit *unit, const u64 *entry)
{
	unsigned int pasid = rid_pasid(unit, entry);
	size_t at = pasid / VTD_PASIDS_PER_TABLE * sizeof(u64);
	u64 pde, addr, pte[VTD_PTE_WORDS];

	if (at >= vtd_pasid_directory_size(entry[0]))
		return -ERANGE;
	if (vtd_read_oldmem(&pde, (entry[0] & VTD_SM_CTX_PASIDDIRPTR) + at,
			    sizeof(pde)))
		return -EIO;
	if (!(pde & VTD_CTX_PRESENT))
		return -ENOENT;

	addr = (pde & VTD_PDE_SMPTBLPTR) +
	       pasid % VTD_PASIDS_PER_TABLE * sizeof(pte);
	if (!takeover_oldmem_plausible(addr, sizeof(pte)))
		return -EFAULT;
	if (vtd_read_oldmem(pte, addr, sizeof(pte)))
		return -EIO;
	if (!(pte[0] & VTD_CTX_PRESENT))
		return -ENOENT;
	return FIELD_GET(VTD_PTE_DID, pte[1]);
}
