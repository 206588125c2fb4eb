// SPDX-License-Identifier: GPL-2.0-only
/*
 * format.h against what the driver knows of the same registers and tables.
 *
 * The two were written apart. Where the driver has a name for a bit, and lets
 * others see it, it has to be the same bit.
 */
#include <kunit/test.h>
#include <linux/dmar.h>
#include <linux/hardirq.h>

#if TAKEOVER_KERNEL >= 61000
#include <asm/posted_intr.h>
#endif

#include "../iommu.h"
#include "../pasid.h"
#include "format.h"

static void registers(struct kunit *test)
{
	KUNIT_EXPECT_EQ(test, VTD_REG_CAP, DMAR_CAP_REG);
	KUNIT_EXPECT_EQ(test, VTD_REG_ECAP, DMAR_ECAP_REG);
	KUNIT_EXPECT_EQ(test, VTD_REG_GCMD, DMAR_GCMD_REG);
	KUNIT_EXPECT_EQ(test, VTD_REG_GSTS, DMAR_GSTS_REG);
	KUNIT_EXPECT_EQ(test, VTD_REG_RTADDR, DMAR_RTADDR_REG);
	KUNIT_EXPECT_EQ(test, VTD_REG_CCMD, DMAR_CCMD_REG);
	KUNIT_EXPECT_EQ(test, VTD_REG_FSTS, DMAR_FSTS_REG);
	KUNIT_EXPECT_EQ(test, VTD_REG_FECTL, DMAR_FECTL_REG);
	KUNIT_EXPECT_EQ(test, VTD_REG_IQH, DMAR_IQH_REG);
	KUNIT_EXPECT_EQ(test, VTD_REG_IQT, DMAR_IQT_REG);
	KUNIT_EXPECT_EQ(test, VTD_REG_IRTA, DMAR_IRTA_REG);
	KUNIT_EXPECT_EQ(test, VTD_REG_PQH, DMAR_PQH_REG);
	KUNIT_EXPECT_EQ(test, VTD_REG_PQT, DMAR_PQT_REG);
	KUNIT_EXPECT_EQ(test, VTD_REG_PQA, DMAR_PQA_REG);
	KUNIT_EXPECT_EQ(test, VTD_REG_PRS, DMAR_PRS_REG);
	KUNIT_EXPECT_EQ(test, VTD_REG_PECTL, DMAR_PECTL_REG);
}

static void commands(struct kunit *test)
{
	u32 one_shot = DMA_GSTS_RTPS | DMA_GSTS_FLS | DMA_GSTS_WBFS |
		       DMA_GSTS_IRTPS;

	KUNIT_EXPECT_EQ(test, (u32)VTD_GCMD_SRTP, DMA_GCMD_SRTP);
	KUNIT_EXPECT_EQ(test, (u32)VTD_GSTS_TES, DMA_GSTS_TES);
	KUNIT_EXPECT_EQ(test, (u32)VTD_GSTS_RTPS, DMA_GSTS_RTPS);
	KUNIT_EXPECT_EQ(test, (u32)VTD_GSTS_QIES, DMA_GSTS_QIES);
	KUNIT_EXPECT_EQ(test, (u32)VTD_GSTS_IRES, DMA_GSTS_IRES);
	KUNIT_EXPECT_EQ(test, (u32)VTD_GSTS_ONE_SHOT, one_shot);
	KUNIT_EXPECT_EQ(test, (u32)VTD_FECTL_IM, DMA_FECTL_IM);
	KUNIT_EXPECT_EQ(test, (u32)VTD_FSTS_PPF, (u32)DMA_FSTS_PPF);
	KUNIT_EXPECT_EQ(test, (u32)VTD_FSTS_IQE, (u32)DMA_FSTS_IQE);
	KUNIT_EXPECT_EQ(test, (u32)VTD_FSTS_ICE, (u32)DMA_FSTS_ICE);
	KUNIT_EXPECT_EQ(test, (u32)VTD_FSTS_ITE, (u32)DMA_FSTS_ITE);
	KUNIT_EXPECT_EQ(test, FIELD_PREP(VTD_RTADDR_TTM, VTD_TTM_SCALABLE),
			DMA_RTADDR_SMT);
}

static void invalidations(struct kunit *test)
{
	u64 every_rid = FIELD_MAX(VTD_QI_SID);

	KUNIT_EXPECT_EQ(test, VTD_CCMD_ICC, DMA_CCMD_ICC);
	KUNIT_EXPECT_EQ(test, VTD_CCMD_GLOBAL, DMA_CCMD_GLOBAL_INVL);
	KUNIT_EXPECT_EQ(test, VTD_IOTLB_REG(VTD_ECAP_IRO),
			ecap_iotlb_offset(VTD_ECAP_IRO) + 8);
	KUNIT_EXPECT_EQ(test, VTD_IOTLB_IVT, DMA_TLB_IVT);
	KUNIT_EXPECT_EQ(test, VTD_IOTLB_GLOBAL, DMA_TLB_GLOBAL_FLUSH);
	KUNIT_EXPECT_EQ(test, VTD_IOTLB_DRAIN,
			DMA_TLB_READ_DRAIN | DMA_TLB_WRITE_DRAIN);
	KUNIT_EXPECT_EQ(test, VTD_QI_CONTEXT, QI_CC_TYPE);
	KUNIT_EXPECT_EQ(test, VTD_QI_IOTLB, QI_IOTLB_TYPE);
	KUNIT_EXPECT_EQ(test, VTD_QI_PASID_IOTLB, QI_EIOTLB_TYPE);
	KUNIT_EXPECT_EQ(test, VTD_QI_PASID_CACHE, QI_PC_TYPE);
	KUNIT_EXPECT_EQ(test, VTD_QI_DEVTLB, QI_DIOTLB_TYPE);
	KUNIT_EXPECT_EQ(test, VTD_QI_PASID_DEVTLB, QI_DEIOTLB_TYPE);
	KUNIT_EXPECT_EQ(test, VTD_QI_SID, QI_DEV_IOTLB_SID(every_rid));
	KUNIT_EXPECT_EQ(test, VTD_QI_PASID_SID, QI_DEV_EIOTLB_SID(every_rid));
}

static void page_requests(struct kunit *test)
{
	KUNIT_EXPECT_EQ(test, (u32)VTD_PRS_PPR, DMA_PRS_PPR);
	KUNIT_EXPECT_EQ(test, (u32)VTD_PRS_PRO, DMA_PRS_PRO);
	KUNIT_EXPECT_EQ(test, (int)VTD_WAIT, QI_IWD_TYPE);
	KUNIT_EXPECT_EQ(test, VTD_WAIT_FENCE, QI_IWD_FENCE);
	KUNIT_EXPECT_EQ(test, VTD_WAIT_DRAIN, QI_IWD_PRQ_DRAIN);

	KUNIT_EXPECT_EQ(test, (int)VTD_ANSWER, QI_PGRP_RESP_TYPE);
	KUNIT_EXPECT_EQ(test, VTD_ANSWER_HAS_PASID, QI_PGRP_PASID_P(1));
	KUNIT_EXPECT_EQ(test, FIELD_PREP(VTD_ANSWER_CODE, VTD_ANSWER_INVALID),
			QI_PGRP_RESP_CODE(QI_RESP_INVALID));
	KUNIT_EXPECT_EQ(test, VTD_ANSWER_RID, QI_PGRP_DID(0xffff));
	KUNIT_EXPECT_EQ(test, VTD_ANSWER_PASID, QI_PGRP_PASID(0xfffff));
	KUNIT_EXPECT_EQ(test, VTD_ANSWER_GROUP, QI_PGRP_IDX(0x1ff));
}

/* Each is set alone, and must be what the driver sees set. */
static void capabilities(struct kunit *test)
{
	u64 nd, aw;

	for (nd = 0; nd < 8; nd++)
		KUNIT_EXPECT_EQ(test, (unsigned long)vtd_domain_ids(nd),
				cap_ndoms(nd));
	for (aw = 0; aw < 5; aw++)
		KUNIT_EXPECT_EQ(test, cap_sagaw(BIT_ULL(8 + aw)),
				FIELD_GET(VTD_CAP_SAGAW, BIT_ULL(8 + aw)));

	KUNIT_EXPECT_EQ(test, cap_fault_reg_offset(VTD_CAP_FRO), 0x3ff * 16);
	KUNIT_EXPECT_EQ(test, cap_num_fault_regs(VTD_CAP_NFR), 256);
	KUNIT_EXPECT_TRUE(test, cap_pi_support(VTD_CAP_PI));
	KUNIT_EXPECT_TRUE(test, cap_esrtps(VTD_CAP_ESRTPS));
	KUNIT_EXPECT_TRUE(test, ecap_dev_iotlb_support(VTD_ECAP_DT));
	KUNIT_EXPECT_TRUE(test, ecap_pass_through(VTD_ECAP_PT));
	KUNIT_EXPECT_TRUE(test, ecap_prs(VTD_ECAP_PRS));
	KUNIT_EXPECT_TRUE(test, ecap_pasid(VTD_ECAP_PASID));
	KUNIT_EXPECT_TRUE(test, ecap_pds(VTD_ECAP_PDS));
	KUNIT_EXPECT_TRUE(test, ecap_smts(VTD_ECAP_SMTS));
	KUNIT_EXPECT_TRUE(test, ecap_slts(VTD_ECAP_SSTS));
	KUNIT_EXPECT_TRUE(test, ecap_rps(VTD_ECAP_RPS));
}

#if TAKEOVER_KERNEL >= 60900
static void legacy_entry(struct kunit *test)
{
	struct context_entry entry = { .lo = VTD_CTX_FPD };

	KUNIT_EXPECT_EQ(test, sizeof(entry), VTD_CTX_WORDS * sizeof(u64));
	context_set_fault_enable(&entry);
	KUNIT_EXPECT_EQ(test, entry.lo, 0ULL);

	context_set_present(&entry);
	context_set_translation_type(&entry, CONTEXT_TT_PASS_THROUGH);
	context_set_address_root(&entry, 0x123456789000);
	context_set_address_width(&entry, 2);
	context_set_domain_id(&entry, 0xa5c3);
	KUNIT_EXPECT_EQ(test, entry.lo & VTD_CTX_PRESENT, VTD_CTX_PRESENT);
	KUNIT_EXPECT_EQ(test, FIELD_GET(VTD_CTX_TT, entry.lo),
			(u64)VTD_TT_PASS_THROUGH);
	KUNIT_EXPECT_EQ(test, entry.lo & VTD_CTX_SSPTPTR, 0x123456789000ULL);
	KUNIT_EXPECT_EQ(test, FIELD_GET(VTD_CTX_AW, entry.hi), 2ULL);
	KUNIT_EXPECT_EQ(test, FIELD_GET(VTD_CTX_DID, entry.hi), 0xa5c3ULL);
	/* The driver sets no bit that counts as reserved here. */
	KUNIT_EXPECT_EQ(test, entry.lo & VTD_CTX_RESERVED_0, 0ULL);
	KUNIT_EXPECT_EQ(test, entry.hi & VTD_CTX_RESERVED_1, 0ULL);
}

static void scalable_entry(struct kunit *test)
{
	struct context_entry entry = {};

	context_set_sm_dte(&entry);
	KUNIT_EXPECT_EQ(test, entry.lo, VTD_SM_CTX_DTE);
	context_set_sm_pre(&entry);
	KUNIT_EXPECT_EQ(test, entry.lo, VTD_SM_CTX_DTE | VTD_SM_CTX_PRE);
	context_set_pasid(&entry);
	KUNIT_EXPECT_TRUE(test, entry.lo & VTD_SM_CTX_PASIDE);
	context_set_sm_rid2pasid(&entry, ~0UL);
	KUNIT_EXPECT_EQ(test, entry.hi, VTD_SM_CTX_RID_PASID);
	KUNIT_EXPECT_EQ(test, entry.lo & VTD_SM_CTX_RESERVED_0, 0ULL);
	KUNIT_EXPECT_EQ(test, entry.hi & VTD_SM_CTX_RESERVED_1, 0ULL);

	/* The driver's smallest directory is 128 entries, 7 more bits at most. */
	KUNIT_EXPECT_EQ(test, vtd_pasid_directory_size(0), 128 * sizeof(u64));
	KUNIT_EXPECT_EQ(test, vtd_pasid_directory_size(VTD_SM_CTX_PDTS),
			(size_t)SZ_128K);
}
#endif

static void pasid_entry(struct kunit *test)
{
	struct pasid_entry entry = {};

	KUNIT_EXPECT_EQ(test, sizeof(entry), VTD_PTE_WORDS * sizeof(u64));
	entry.val[0] = FIELD_PREP(VTD_PTE_PGTT, VTD_PGTT_SECOND_STAGE) |
		       VTD_CTX_PRESENT | VTD_CTX_FPD;
	KUNIT_EXPECT_EQ(test, (int)pasid_pte_get_pgtt(&entry),
			PASID_ENTRY_PGTT_SL_ONLY);
	KUNIT_EXPECT_TRUE(test, pasid_pte_is_present(&entry));
#if TAKEOVER_KERNEL >= 61200
	KUNIT_EXPECT_TRUE(test, pasid_pte_is_fault_disabled(&entry));
#endif
}

static void page_table_entry(struct kunit *test)
{
	struct dma_pte pte = { .val = VTD_SS_READ | VTD_SS_WRITE };

	KUNIT_EXPECT_EQ(test, pte.val, (u64)(DMA_PTE_READ | DMA_PTE_WRITE));
	pte.val |= 0x123456789000;
	KUNIT_EXPECT_EQ(test, dma_pte_addr(&pte), pte.val & VTD_SS_ADDR);
	KUNIT_EXPECT_EQ(test, VTD_SS_PAGE_BITS, VTD_PAGE_SHIFT);
	KUNIT_EXPECT_EQ(test, VTD_SS_LEVEL_BITS, VTD_STRIDE_SHIFT);
}

static void fault_record(struct kunit *test)
{
	u32 source = 0xabcd, reason = 0x5;
	u64 high = FIELD_PREP(VTD_FRCD_SID, source) |
		   FIELD_PREP(VTD_FRCD_REASON, reason) | VTD_FRCD_T1;

	KUNIT_EXPECT_EQ(test, dma_frcd_source_id((u32)high), source);
	KUNIT_EXPECT_EQ(test, dma_frcd_fault_reason((u32)(high >> 32)), reason);
	KUNIT_EXPECT_EQ(test, dma_frcd_type((u32)(high >> 32)), 1U);
	KUNIT_EXPECT_EQ(test, VTD_FRCD_F >> 32, (u64)DMA_FRCD_F);
	KUNIT_EXPECT_EQ(test, dma_frcd_page_addr(~0ULL), VTD_FRCD_ADDR);
}

static void interrupt_entry(struct kunit *test)
{
	struct irte entry = {};

	KUNIT_EXPECT_EQ(test, sizeof(entry), VTD_IRTE_WORDS * sizeof(u64));
	entry.present = 1;
	KUNIT_EXPECT_EQ(test, entry.low, VTD_IRTE_PRESENT);
	entry.fpd = 1;
	KUNIT_EXPECT_EQ(test, entry.low, VTD_IRTE_PRESENT | VTD_IRTE_FPD);

	entry.low = 0;
	entry.dst_mode = 1;
	KUNIT_EXPECT_EQ(test, entry.low, VTD_IRTE_LOGICAL);
	entry.low = 0;
	entry.dlvry_mode = 5;
	KUNIT_EXPECT_EQ(test, FIELD_GET(VTD_IRTE_DELIVERY, entry.low), 5ULL);
	entry.vector = 0xa5;
	KUNIT_EXPECT_EQ(test, FIELD_GET(VTD_IRTE_VECTOR, entry.low), 0xa5ULL);
	entry.dest_id = 0x12345678;
	KUNIT_EXPECT_EQ(test, FIELD_GET(VTD_IRTE_DST, entry.low), 0x12345678ULL);
	entry.dest_id = 0x5a << 8;
	KUNIT_EXPECT_EQ(test, FIELD_GET(VTD_IRTE_DST_XAPIC, entry.low), 0x5aULL);

	/* Nothing that the driver sets counts as reserved here. */
	entry.trigger_mode = 1;
	entry.redir_hint = 1;
	entry.avail = 0xf;
	entry.dest_id = 0xff << 8;
	entry.sid = 0xffff;
	entry.sq = 3;
	entry.svt = 3;
	KUNIT_EXPECT_EQ(test, entry.low & (VTD_IRTE_RSVD_0 | VTD_IRTE_RSVD_XAPIC),
			0ULL);
	KUNIT_EXPECT_EQ(test, entry.high & VTD_IRTE_RSVD_1, 0ULL);
}

static void posted_entry(struct kunit *test)
{
	const u64 address = 0x123456789abcdec0ULL & ~63ULL;
	struct irte entry = {};

	entry.p_pst = 1;
	KUNIT_EXPECT_EQ(test, entry.low, VTD_IRTE_POSTED);
	entry.p_urgent = 1;
	entry.p_vector = 0xff;
	entry.p_sid = 0xffff;
	entry.p_sq = 3;
	entry.p_svt = 3;
	entry.pda_l = (address >> 6) & GENMASK(PDA_LOW_BIT - 1, 0);
	entry.pda_h = address >> 32;
	KUNIT_EXPECT_EQ(test, vtd_posted_descriptor(entry.low, entry.high),
			address);
	KUNIT_EXPECT_EQ(test, entry.low & VTD_POSTED_RSVD_0, 0ULL);
	KUNIT_EXPECT_EQ(test, entry.high & VTD_POSTED_RSVD_1, 0ULL);
}

#if TAKEOVER_KERNEL >= 61000
static void posted_descriptor(struct kunit *test)
{
	struct pi_desc descriptor = { .nv = 0xa5 };

	KUNIT_EXPECT_EQ(test, sizeof(descriptor), (size_t)VTD_PID_SIZE);
	KUNIT_EXPECT_EQ(test, offsetof(struct pi_desc, control),
			(size_t)VTD_PID_CONTROL);
	KUNIT_EXPECT_EQ(test, FIELD_GET(VTD_PID_NV, descriptor.control),
			0xa5ULL);
}
#endif

static void interrupt_table(struct kunit *test)
{
	KUNIT_EXPECT_EQ(test, VTD_IRTE_MAX, INTR_REMAP_TABLE_ENTRIES);
	KUNIT_EXPECT_EQ(test, vtd_irt_entries(INTR_REMAP_TABLE_REG_SIZE),
			(unsigned int)INTR_REMAP_TABLE_ENTRIES);
	KUNIT_EXPECT_EQ(test, vtd_irt_entries(VTD_IRTA_EIME), 2U);
}

static struct kunit_case format_cases[] = {
	KUNIT_CASE(registers),
	KUNIT_CASE(commands),
	KUNIT_CASE(invalidations),
	KUNIT_CASE(page_requests),
	KUNIT_CASE(capabilities),
#if TAKEOVER_KERNEL >= 60900
	KUNIT_CASE(legacy_entry),
	KUNIT_CASE(scalable_entry),
#endif
	KUNIT_CASE(pasid_entry),
	KUNIT_CASE(page_table_entry),
	KUNIT_CASE(fault_record),
	KUNIT_CASE(interrupt_entry),
	KUNIT_CASE(posted_entry),
#if TAKEOVER_KERNEL >= 61000
	KUNIT_CASE(posted_descriptor),
#endif
	KUNIT_CASE(interrupt_table),
	{}
};

static struct kunit_suite format_suite = {
	.name = "vtd_takeover_format",
	.test_cases = format_cases,
};

kunit_test_suite(format_suite);

MODULE_DESCRIPTION("KUnit tests of the VT-d takeover's format.h");
MODULE_LICENSE("GPL");
