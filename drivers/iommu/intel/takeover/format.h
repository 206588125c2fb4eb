/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The parts of the VT-d specification that the takeover reads and writes.
 *
 * This is the only place with register offsets and bit numbers. Nothing here
 * decides anything. Chapters are those of the Intel Virtualization Technology
 * for Directed I/O specification, revision 4.1.
 */
#ifndef VTD_TAKEOVER_FORMAT_H
#define VTD_TAKEOVER_FORMAT_H

#include <linux/bitfield.h>
#include <linux/bits.h>
#include <linux/types.h>

/* Every table of the remapping hardware is one naturally aligned page. */
#define VTD_TABLE_SIZE		4096
#define VTD_TABLE_WORDS		(VTD_TABLE_SIZE / sizeof(u64))

/* 11.4: registers */
#define VTD_REG_CAP		0x08
#define VTD_REG_ECAP		0x10
#define VTD_REG_GCMD		0x18
#define VTD_REG_GSTS		0x1c
#define VTD_REG_RTADDR		0x20

/* 11.4.2, 11.4.3: capabilities */
#define VTD_CAP_ND		GENMASK_ULL(2, 0)
#define VTD_CAP_ESRTPS		BIT_ULL(63)
#define VTD_ECAP_SMTS		BIT_ULL(43)

/* 11.4.4: commands; a one-shot bit has to be written as 0 to be left alone */
#define VTD_GCMD_SRTP		BIT(30)
#define VTD_GSTS_TES		BIT(31)
#define VTD_GSTS_RTPS		BIT(30)
#define VTD_GSTS_ONE_SHOT	(BIT(30) | BIT(29) | BIT(27) | BIT(24))

/* 11.4.5: root-table address and translation-table mode */
#define VTD_RTADDR_TTM		GENMASK_ULL(11, 10)
#define VTD_RTADDR_ADDR		GENMASK_ULL(63, 12)
enum vtd_ttm {
	VTD_TTM_LEGACY		= 0,
	VTD_TTM_SCALABLE	= 1,
	VTD_TTM_EXTENDED	= 2,	/* reserved since revision 3.0 */
	VTD_TTM_ABORT		= 3,
};

/*
 * 9.1, 9.2: a root entry is two words. Legacy mode uses the low one, for the
 * context table of the whole bus; scalable mode uses the low one for device
 * numbers 0 to 15 and the high one for 16 to 31.
 */
#define VTD_ROOT_PRESENT	BIT_ULL(0)
#define VTD_ROOT_ADDR		GENMASK_ULL(63, 12)
#define VTD_ROOT_ENTRIES	256
#define VTD_ROOT_WORDS		2

/* 9.3: context entry of legacy mode, two words */
#define VTD_CTX_WORDS		2
#define VTD_CTX_PRESENT		BIT_ULL(0)
#define VTD_CTX_TT		GENMASK_ULL(3, 2)	/* word 0 */
#define VTD_CTX_DID		GENMASK_ULL(23, 8)	/* word 1 */
enum vtd_tt {
	VTD_TT_UNTRANSLATED	= 0,
	VTD_TT_ALL		= 1,	/* device-TLBs may be in use */
	VTD_TT_PASS_THROUGH	= 2,
};

/* 9.4: context entry of scalable mode, four words */
#define VTD_SM_CTX_WORDS	4
#define VTD_SM_CTX_DTE		BIT_ULL(2)	/* word 0: device-TLB enable */

/**
 * vtd_domain_ids - number of domain ids that a unit implements
 * @cap: its capability register (11.4.2, ND)
 */
static inline unsigned int vtd_domain_ids(u64 cap)
{
	return 1U << (4 + 2 * FIELD_GET(VTD_CAP_ND, cap));
}

#endif /* VTD_TAKEOVER_FORMAT_H */
