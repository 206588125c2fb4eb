// SPDX-License-Identifier: GPL-2.0-only
//
// Two places know where the fields lie, and were written apart: the kernel's format.h and the
// model's. Each mask of the one is held against the other's, bit by bit.

#include <gtest/gtest.h>

#include "model/capabilities.h"
#include "model/format.h"

extern "C" {
#include "format.h"
}

namespace {

using namespace vtd::model;
namespace ctx = vtd::model::context;

struct Both {
    const char* name;
    u64 kernel;
    u64 model;
};

TEST(Format, TheKernelsMasksAreTheModels) {
    const Both fields[] = {
        {"root P", VTD_ROOT_PRESENT, present.mask()},
        {"root reserved", VTD_ROOT_RESERVED, root::reserved.mask()},
        {"root CTP", VTD_ROOT_ADDR, root::ctp.mask()},
        {"context P", VTD_CTX_PRESENT, present.mask()},
        {"context FPD", VTD_CTX_FPD, fault_disable.mask()},
        {"context TT", VTD_CTX_TT, ctx::tt.mask()},
        {"context reserved 0", VTD_CTX_RESERVED_0, ctx::reserved_0.mask()},
        {"context SSPTPTR", VTD_CTX_SSPTPTR, ctx::ssptptr.mask()},
        {"context AW", VTD_CTX_AW, ctx::aw.mask()},
        {"context DID", VTD_CTX_DID, ctx::did.mask()},
        {"context reserved 1", VTD_CTX_RESERVED_1, ctx::reserved_1.mask() | ctx::reserved_7.mask()},
        {"scalable DTE", VTD_SM_CTX_DTE, sm_context::dte.mask()},
        {"scalable PASIDE", VTD_SM_CTX_PASIDE, sm_context::paside.mask()},
        {"scalable PRE", VTD_SM_CTX_PRE, sm_context::pre.mask()},
        {"scalable reserved 0", VTD_SM_CTX_RESERVED_0, sm_context::reserved_0.mask()},
        {"scalable PDTS", VTD_SM_CTX_PDTS, sm_context::pdts.mask()},
        {"scalable PASIDDIRPTR", VTD_SM_CTX_PASIDDIRPTR, sm_context::pasiddirptr.mask()},
        {"scalable RID_PASID", VTD_SM_CTX_RID_PASID, sm_context::rid_pasid.mask()},
        {"scalable reserved 1", VTD_SM_CTX_RESERVED_1, sm_context::reserved_1.mask()},
        {"directory SMPTBLPTR", VTD_PDE_SMPTBLPTR, pasid_directory::smptblptr.mask()},
        {"PASID AW", VTD_PTE_AW, pasid_entry::aw.mask()},
        {"PASID PGTT", VTD_PTE_PGTT, pasid_entry::pgtt.mask()},
        {"PASID SSPTPTR", VTD_PTE_SSPTPTR, pasid_entry::ssptptr.mask()},
        {"PASID DID", VTD_PTE_DID, pasid_entry::did.mask()},
        {"second stage R", VTD_SS_READ, second_stage::r.mask()},
        {"second stage W", VTD_SS_WRITE, second_stage::w.mask()},
        {"second stage address", VTD_SS_ADDR, second_stage::address.mask()},
        {"RTADDR TTM", VTD_RTADDR_TTM, rtaddr::ttm.mask()},
        {"RTADDR address", VTD_RTADDR_ADDR, rtaddr::address.mask()},
    };
    for (const Both& field : fields)
        EXPECT_EQ(field.kernel, field.model) << field.name;
}

TEST(Format, TheKernelsSizesAreTheModels) {
    EXPECT_EQ(VTD_ROOT_WORDS, root::words);
    EXPECT_EQ(VTD_CTX_WORDS, ctx::words);
    EXPECT_EQ(VTD_SM_CTX_WORDS, sm_context::words);
    EXPECT_EQ(VTD_PTE_WORDS, pasid_entry::words);
    EXPECT_EQ(VTD_PASIDS_PER_TABLE, pasid_entry::per_table);
    EXPECT_EQ(VTD_SS_LEVEL_BITS, level_bits);
    EXPECT_EQ(VTD_SS_PAGE_BITS, page_bits);
    EXPECT_EQ(VTD_TABLE_SIZE, page_size);
}

TEST(Format, TheKernelsEncodingsAreTheModels) {
    using ctx::Tt;
    using rtaddr::Ttm;
    EXPECT_EQ(int{VTD_TT_UNTRANSLATED}, static_cast<int>(Tt::untranslated));
    EXPECT_EQ(int{VTD_TT_ALL}, static_cast<int>(Tt::all));
    EXPECT_EQ(int{VTD_TT_PASS_THROUGH}, static_cast<int>(Tt::pass_through));
    EXPECT_EQ(int{VTD_TTM_LEGACY}, static_cast<int>(Ttm::legacy));
    EXPECT_EQ(int{VTD_TTM_SCALABLE}, static_cast<int>(Ttm::scalable));
    EXPECT_EQ(int{VTD_TTM_ABORT}, static_cast<int>(Ttm::abort));
    EXPECT_EQ(VTD_PGTT_SECOND_STAGE, static_cast<int>(pasid_entry::Pgtt::second));
    for (unsigned aw = 1; aw <= 3; aw++)
        EXPECT_EQ(vtd_paging_levels(aw), aw + aw_levels);
    for (unsigned nd = 0; nd < 7; nd++)
        EXPECT_EQ(vtd_domain_ids(nd), Capabilities{.cap = nd}.domain_ids());
}

// A capability is a bit by itself: whichever is set, one answer changes.
TEST(Format, TheKernelsCapabilitiesAreTheModels) {
    const auto ecap = [](u64 bit) { return Capabilities{.ecap = bit}; };
    EXPECT_TRUE(ecap(VTD_ECAP_DT).device_tlb());
    EXPECT_TRUE(ecap(VTD_ECAP_PT).pass_through());
    EXPECT_TRUE(ecap(VTD_ECAP_PRS).page_requests());
    EXPECT_TRUE(ecap(VTD_ECAP_PASID).pasid());
    EXPECT_TRUE(ecap(VTD_ECAP_SMTS).scalable());
    EXPECT_TRUE(ecap(VTD_ECAP_SSTS).second_stage());
    EXPECT_TRUE(ecap(VTD_ECAP_RPS).rid_pasid());
    EXPECT_TRUE(Capabilities{.cap = VTD_CAP_ESRTPS}.flushes_on_srtp());
    for (unsigned aw = 0; aw < 5; aw++) {
        const u64 sagaw = u64{1} << aw;
        const Capabilities one{.cap = sagaw << (__builtin_ffsll(VTD_CAP_SAGAW) - 1)};
        EXPECT_TRUE(one.walks(aw));
        EXPECT_FALSE(one.walks(aw ? aw - 1 : 4));
    }
}

TEST(Format, AFieldIsReadWhereItIsWritten) {
    for (const Field field : {ctx::did, ctx::aw, sm_context::pdts, pasid_entry::ssptptr}) {
        u64 words[8] = {};
        field.set(words, ~u64{0});
        EXPECT_EQ(words[field.word], field.mask());
        EXPECT_EQ(field.of(words), field.mask() >> field.low);
        field.set(words, 1);
        EXPECT_EQ(field.of(words), 1U);
        words[field.word] = ~field.mask();
        EXPECT_EQ(field.of(words), 0U);
    }
}

} // namespace
