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

/* 3.4.1: a requester id, as the PCI bus carries it */
#define VTD_RID_BUS(rid)	((rid) >> 8)
#define VTD_RID_SLOT(rid)	((rid) >> 3 & 0x1f)
#define VTD_RID_FUNCTION(rid)	((rid) & 7)

/* 11.4: registers */
#define VTD_REG_CAP		0x08
#define VTD_REG_ECAP		0x10
#define VTD_REG_GCMD		0x18
#define VTD_REG_GSTS		0x1c
#define VTD_REG_RTADDR		0x20
#define VTD_REG_CCMD		0x28
#define VTD_REG_FSTS		0x34
#define VTD_REG_FECTL		0x38
#define VTD_REG_IQH		0x80
#define VTD_REG_IQT		0x88
#define VTD_REG_IRTA		0xb8
#define VTD_REG_PQH		0xc0
#define VTD_REG_PQT		0xc8
#define VTD_REG_PQA		0xd0
#define VTD_REG_PRS		0xdc
#define VTD_REG_PECTL		0xe0

/* 11.4.2, 11.4.3: capabilities */
#define VTD_CAP_ND		GENMASK_ULL(2, 0)
#define VTD_CAP_SAGAW		GENMASK_ULL(12, 8)
#define VTD_CAP_MGAW		GENMASK_ULL(21, 16)	/* less one */
#define VTD_CAP_ZLR		BIT_ULL(22)	/* of write-only pages */
#define VTD_CAP_FRO		GENMASK_ULL(33, 24)	/* fault records, in 16 bytes */
#define VTD_CAP_SSLPS_2M	BIT_ULL(34)
#define VTD_CAP_SSLPS_1G	BIT_ULL(35)
#define VTD_CAP_NFR		GENMASK_ULL(47, 40)	/* their number, less one */
#define VTD_CAP_FS1GP		BIT_ULL(56)
#define VTD_CAP_PI		BIT_ULL(59)
#define VTD_CAP_ESRTPS		BIT_ULL(63)
#define VTD_ECAP_DT		BIT_ULL(2)
#define VTD_ECAP_PT		BIT_ULL(6)
#define VTD_ECAP_IRO		GENMASK_ULL(17, 8)	/* IOTLB, in 16 bytes */
#define VTD_ECAP_PRS		BIT_ULL(29)
#define VTD_ECAP_SRS		BIT_ULL(31)
#define VTD_ECAP_PASID		BIT_ULL(40)
#define VTD_ECAP_PDS		BIT_ULL(42)
#define VTD_ECAP_SMTS		BIT_ULL(43)
#define VTD_ECAP_SSTS		BIT_ULL(46)
#define VTD_ECAP_FSTS		BIT_ULL(47)
#define VTD_ECAP_RPS		BIT_ULL(49)

/* 11.4.4: commands; a one-shot bit has to be written as 0 to be left alone */
#define VTD_GCMD_SRTP		BIT(30)
#define VTD_GSTS_TES		BIT(31)
#define VTD_GSTS_RTPS		BIT(30)
#define VTD_GSTS_QIES		BIT(26)
#define VTD_GSTS_IRES		BIT(25)
#define VTD_GSTS_ONE_SHOT	(BIT(30) | BIT(29) | BIT(27) | BIT(24))

/* 11.4.6, 11.4.8: invalidations by registers; the second lies behind IVA */
#define VTD_CCMD_ICC		BIT_ULL(63)
#define VTD_CCMD_GLOBAL		BIT_ULL(61)
#define VTD_CCMD_CAIG		GENMASK_ULL(60, 59)	/* what was done; 0: refused */
#define VTD_IOTLB_REG(ecap)	(FIELD_GET(VTD_ECAP_IRO, ecap) * 16 + 8)
#define VTD_IOTLB_IVT		BIT_ULL(63)
#define VTD_IOTLB_GLOBAL	BIT_ULL(60)
#define VTD_IOTLB_IAIG		GENMASK_ULL(58, 57)	/* as CAIG */
#define VTD_IOTLB_DRAIN		GENMASK_ULL(49, 48)	/* reads, writes */

/* 6.5.2: commands in the invalidation queue */
#define VTD_QI_TYPE		GENMASK_ULL(3, 0)	/* word 0 */
#define VTD_QI_CONTEXT		1
#define VTD_QI_IOTLB		2
#define VTD_QI_DEVTLB		3
#define VTD_QI_PASID_IOTLB	6
#define VTD_QI_PASID_CACHE	7
#define VTD_QI_PASID_DEVTLB	8
#define VTD_QI_SID		GENMASK_ULL(47, 32)
#define VTD_QI_PASID_SID	GENMASK_ULL(31, 16)
#define VTD_QI_ALL_PASIDS	BIT_ULL(0)		/* word 1 */

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
#define VTD_ROOT_RESERVED	GENMASK_ULL(11, 1)
#define VTD_ROOT_ADDR		GENMASK_ULL(63, 12)
#define VTD_ROOT_ENTRIES	256
#define VTD_ROOT_WORDS		2

/*
 * 9.3: context entry of legacy mode, two words. The present bit and the one
 * that switches fault reporting off (FPD) lie alike in both modes, and in the
 * entries of PASID directories and PASID tables too. FPD counts in an entry
 * that is not present as well.
 */
#define VTD_CTX_WORDS		2
#define VTD_CTX_PRESENT		BIT_ULL(0)
#define VTD_CTX_FPD		BIT_ULL(1)
#define VTD_CTX_TT		GENMASK_ULL(3, 2)	/* word 0 */
#define VTD_CTX_RESERVED_0	GENMASK_ULL(11, 4)
#define VTD_CTX_SSPTPTR		GENMASK_ULL(63, 12)
#define VTD_CTX_AW		GENMASK_ULL(2, 0)	/* word 1 */
#define VTD_CTX_DID		GENMASK_ULL(23, 8)
#define VTD_CTX_RESERVED_1	(GENMASK_ULL(63, 24) | BIT_ULL(7))
enum vtd_tt {
	VTD_TT_UNTRANSLATED	= 0,
	VTD_TT_ALL		= 1,	/* device-TLBs may be in use */
	VTD_TT_PASS_THROUGH	= 2,
};

/* 9.4: context entry of scalable mode, four words, the last two reserved */
#define VTD_SM_CTX_WORDS	4
#define VTD_SM_CTX_DTE		BIT_ULL(2)		/* word 0 */
#define VTD_SM_CTX_PASIDE	BIT_ULL(3)
#define VTD_SM_CTX_PRE		BIT_ULL(4)
#define VTD_SM_CTX_RESERVED_0	GENMASK_ULL(8, 5)
#define VTD_SM_CTX_PDTS		GENMASK_ULL(11, 9)
#define VTD_PDTS_OF_PAGE	2	/* a directory has 2^(PDTS + 7) entries */
#define VTD_SM_CTX_PASIDDIRPTR	GENMASK_ULL(63, 12)
#define VTD_SM_CTX_RID_PASID	GENMASK_ULL(19, 0)	/* word 1 */
#define VTD_SM_CTX_RESERVED_1	GENMASK_ULL(63, 21)

/* 9.5, 9.6: PASID directory entry, one word; PASID table entry, eight */
#define VTD_PDE_SMPTBLPTR	GENMASK_ULL(63, 12)
#define VTD_PTE_WORDS		8
#define VTD_PTE_SIZE		(VTD_PTE_WORDS * sizeof(u64))
#define VTD_PASIDS_PER_TABLE	64
#define VTD_PTE_AW		GENMASK_ULL(4, 2)	/* word 0 */
#define VTD_PTE_PGTT		GENMASK_ULL(8, 6)
#define VTD_PTE_SSPTPTR		GENMASK_ULL(63, 12)
#define VTD_PTE_DID		GENMASK_ULL(15, 0)	/* word 1 */
#define VTD_PTE_SRE		BIT_ULL(0)		/* word 2 */
#define VTD_PTE_FSPM		GENMASK_ULL(3, 2)
#define VTD_PTE_FSPTPTR		GENMASK_ULL(63, 12)
#define VTD_FSPM_4_LEVELS	0
#define VTD_FSPM_5_LEVELS	1
#define VTD_PGTT_FIRST_STAGE	1
#define VTD_PGTT_SECOND_STAGE	2
#define VTD_PGTT_NESTED		3
#define VTD_PGTT_PASS_THROUGH	4

/* 9.7: first-stage paging entry; only its PAT bit depends on the level */
#define VTD_FS_PRESENT		BIT_ULL(0)
#define VTD_FS_WRITE		BIT_ULL(1)
#define VTD_FS_USER		BIT_ULL(2)
#define VTD_FS_PAT_4K		BIT_ULL(7)
#define VTD_FS_PAT_LARGE	BIT_ULL(12)

/* 9.8: second-stage paging entry, non-leaf and 4 KiB leaf alike */
#define VTD_SS_READ		BIT_ULL(0)
#define VTD_SS_WRITE		BIT_ULL(1)
#define VTD_SS_EXECUTE		BIT_ULL(2)
#define VTD_SS_ADDR		GENMASK_ULL(51, 12)
#define VTD_SS_PAGE_BITS	12
#define VTD_SS_LEVEL_BITS	9

/* Of both stages: it is a page, on level 2 or 3 (2 MiB, 1 GiB). */
#define VTD_PAGE_LARGE		BIT_ULL(7)
#define VTD_LARGE_LEVELS	3

/* 11.4, FSTS_REG: fault status; errors are cleared by writing 1 */
#define VTD_FSTS_PPF		BIT(1)
#define VTD_FSTS_IQE		BIT(4)
#define VTD_FSTS_ICE		BIT(5)
#define VTD_FSTS_ITE		BIT(6)
#define VTD_FSTS_FRI		GENMASK_ULL(15, 8)

/* 11.4, FECTL_REG: fault event control */
#define VTD_FECTL_IM		BIT(31)

/*
 * 11.4, FRCD_REG: a fault record is two words. The low one holds an address,
 * or the index of an interrupt.
 */
#define VTD_FRCD_SIZE		16
#define VTD_FRCD_ADDR		GENMASK_ULL(63, 12)	/* word 0 */
#define VTD_FRCD_INDEX		GENMASK_ULL(63, 48)
#define VTD_FRCD_SID		GENMASK_ULL(15, 0)	/* word 1 */
#define VTD_FRCD_T2		BIT_ULL(28)
#define VTD_FRCD_REASON		GENMASK_ULL(39, 32)
#define VTD_FRCD_T1		BIT_ULL(62)
#define VTD_FRCD_F		BIT_ULL(63)

/* 7: reasons of faults: reserved bits in a context entry; interrupts */
#define VTD_REASON_CTX_RESERVED	0x0b
#define VTD_REASON_SM_CTX_RESERVED 0x42
#define VTD_REASON_IR_FIRST	0x20
#define VTD_REASON_IR_LAST	0x2f

/*
 * 11.4, PQH_REG, PQT_REG, PQA_REG: the page-request queue. Head and tail are
 * offsets in bytes.
 */
#define VTD_PQ_OFFSET		GENMASK_ULL(18, 5)
#define VTD_PQA_SIZE		GENMASK_ULL(2, 0)
#define VTD_PQA_ADDR		GENMASK_ULL(63, 12)

/* 11.4, PRS_REG: cleared by writing 1; PECTL_REG: page request event control */
#define VTD_PRS_PPR		BIT(0)
#define VTD_PRS_PRO		BIT(1)
#define VTD_PECTL_IM		BIT(31)

/* 7.4.1: an entry of the page-request queue is four words, two of them used */
#define VTD_PRQ_WORDS		4
#define VTD_PRQ_SIZE		(VTD_PRQ_WORDS * sizeof(u64))
#define VTD_PRQ_TYPE		GENMASK_ULL(7, 0)	/* word 0 */
#define VTD_PRQ_HAS_PASID	BIT_ULL(8)
#define VTD_PRQ_RID		GENMASK_ULL(31, 16)
#define VTD_PRQ_PASID		GENMASK_ULL(51, 32)
#define VTD_PRQ_READ		BIT_ULL(0)		/* word 1 */
#define VTD_PRQ_WRITE		BIT_ULL(1)
#define VTD_PRQ_LAST		BIT_ULL(2)		/* of its group */
#define VTD_PRQ_GROUP		GENMASK_ULL(11, 3)
#define VTD_PRQ_REQUEST		1			/* type */

/* 6.5.2: descriptors of the invalidation queue: a wait, ... */
#define VTD_WAIT		5
#define VTD_WAIT_FENCE		BIT_ULL(6)
#define VTD_WAIT_DRAIN		BIT_ULL(7)	/* page requests, with ECAP.PDS */

/* ... and 7.7, the answer to a group of page requests */
#define VTD_ANSWER		9
#define VTD_ANSWER_HAS_PASID	BIT_ULL(4)		/* word 0 */
#define VTD_ANSWER_CODE		GENMASK_ULL(15, 12)
#define VTD_ANSWER_RID		GENMASK_ULL(31, 16)
#define VTD_ANSWER_PASID	GENMASK_ULL(51, 32)
#define VTD_ANSWER_GROUP	GENMASK_ULL(11, 3)	/* word 1 */
#define VTD_ANSWER_INVALID	1			/* code */

/* 11.4, IRTA_REG: interrupt-remapping table address */
#define VTD_IRTA_S		GENMASK_ULL(3, 0)
#define VTD_IRTA_EIME		BIT_ULL(11)
#define VTD_IRTA_ADDR		GENMASK_ULL(63, 12)

/* 5.1: entries are two words; the driver's table is as large as can be */
#define VTD_IRTE_WORDS		2
#define VTD_IRTE_MAX		65536

/* 9.10: entry of an interrupt that is remapped. Word 0: */
#define VTD_IRTE_PRESENT	BIT_ULL(0)
#define VTD_IRTE_FPD		BIT_ULL(1)
#define VTD_IRTE_LOGICAL	BIT_ULL(2)
#define VTD_IRTE_DELIVERY	GENMASK_ULL(7, 5)
#define VTD_IRTE_POSTED		BIT_ULL(15)
#define VTD_IRTE_VECTOR		GENMASK_ULL(23, 16)
#define VTD_IRTE_DST		GENMASK_ULL(63, 32)
#define VTD_IRTE_DST_XAPIC	GENMASK_ULL(47, 40)	/* EIME clear */
#define VTD_IRTE_RSVD_XAPIC	(GENMASK_ULL(63, 48) | GENMASK_ULL(39, 32))
#define VTD_IRTE_RSVD_0		(GENMASK_ULL(31, 24) | GENMASK_ULL(15, 12))
#define VTD_IRTE_RSVD_1		GENMASK_ULL(63, 20)
enum vtd_delivery {
	VTD_DELIVERY_FIXED	= 0,
	VTD_DELIVERY_LOWEST	= 1,
};

/* 9.11: entry of an interrupt that is posted */
#define VTD_POSTED_ADDR_LOW	GENMASK_ULL(63, 38)	/* word 0: 31 to 6 */
#define VTD_POSTED_ADDR_HIGH	GENMASK_ULL(63, 32)	/* word 1: 63 to 32 */
#define VTD_POSTED_RSVD_0	(GENMASK_ULL(37, 24) | GENMASK_ULL(13, 12) | \
				 GENMASK_ULL(7, 2))
#define VTD_POSTED_RSVD_1	GENMASK_ULL(31, 20)

/* 9.12: posted-interrupt descriptor, which the hardware writes to */
#define VTD_PID_SIZE		64
#define VTD_PID_CONTROL		32			/* offset of the word */
#define VTD_PID_NV		GENMASK_ULL(23, 16)	/* notification vector */

/* Not VT-d's: destinations of xAPIC mode, members of an x2APIC cluster */
#define VTD_XAPIC_BROADCAST	0xff
#define VTD_X2APIC_CLUSTER	GENMASK_ULL(31, 16)
#define VTD_X2APIC_MEMBERS	GENMASK_ULL(15, 0)
#define VTD_X2APIC_SIZE		16

/* Not VT-d's: vectors, of which the first are the processor's exceptions */
#define VTD_VECTOR_FIRST	32
#define VTD_VECTORS		256

/**
 * vtd_domain_ids - number of domain ids that a unit implements
 * @cap: its capability register (11.4.2, ND)
 */
static inline unsigned int vtd_domain_ids(u64 cap)
{
	return 1U << (4 + 2 * FIELD_GET(VTD_CAP_ND, cap));
}

/**
 * vtd_paging_levels - levels of the second-stage tables of an address width
 * @aw: encoded as in context and PASID entries, and as the bit number in SAGAW
 */
static inline unsigned int vtd_paging_levels(unsigned int aw)
{
	return aw + 2;
}

/**
 * vtd_pasid_directory_size - bytes of a PASID directory
 * @word: first word of the scalable context entry that points to it
 */
static inline size_t vtd_pasid_directory_size(u64 word)
{
	return sizeof(u64) << (7 + FIELD_GET(VTD_SM_CTX_PDTS, word));
}

/**
 * vtd_page_queue_size - bytes of a page-request queue
 * @pqa: its address register (11.4, PQA_REG)
 */
static inline u32 vtd_page_queue_size(u64 pqa)
{
	return (u32)VTD_TABLE_SIZE << FIELD_GET(VTD_PQA_SIZE, pqa);
}

/**
 * vtd_irt_entries - number of entries of an interrupt-remapping table
 * @irta: its address register (11.4, IRTA_REG)
 */
static inline unsigned int vtd_irt_entries(u64 irta)
{
	return 2U << FIELD_GET(VTD_IRTA_S, irta);
}

/**
 * vtd_posted_descriptor - address of a posted-interrupt descriptor
 * @low: word 0 of a posted entry
 * @high: word 1 of it
 */
static inline u64 vtd_posted_descriptor(u64 low, u64 high)
{
	return (high & VTD_POSTED_ADDR_HIGH) |
	       FIELD_GET(VTD_POSTED_ADDR_LOW, low) << 6;
}

#endif /* VTD_TAKEOVER_FORMAT_H */
