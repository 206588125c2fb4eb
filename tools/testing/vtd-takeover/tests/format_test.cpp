// SPDX-License-Identifier: GPL-2.0-only
//
// Two places know where the fields lie, and were written apart: the kernel's format.h and the
// model's. Each name of the one is held against the other's, bit by bit, and the last test reads
// format.h itself: a name that nobody compares here is an error. What the names are used for is
// not tested here.

#include <algorithm>
#include <fstream>
#include <iterator>
#include <map>
#include <regex>
#include <set>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "model/capabilities.h"
#include "model/faults.h"
#include "model/invalidation.h"
#include "model/page_requests.h"
#include "model/registers.h"

extern "C" {
#include "format.h"
}

namespace {

using namespace vtd::model;
namespace ctx = vtd::model::context;

struct Both {
    std::string name;
    u64 kernel;
    u64 model;
};

#define BOTH(kernel, model)                                                                        \
    Both { #kernel, static_cast < u64>(kernel), static_cast < u64>(model) }

constexpr u64 bit(unsigned number) { return u64{1} << number; }

// The only bit that makes a capability true.
template <class Answer> u64 capability(bool extended, Answer answer) {
    u64 found = 0;
    for (unsigned n = 0; n < 64; n++)
        if (answer(Capabilities{.cap = extended ? 0 : bit(n), .ecap = extended ? bit(n) : 0}))
            found |= bit(n);
    return found;
}
u64 cap(bool (Capabilities::*answer)() const) {
    return capability(false, [=](const Capabilities& can) { return (can.*answer)(); });
}
u64 ecap(bool (Capabilities::*answer)() const) {
    return capability(true, [=](const Capabilities& can) { return (can.*answer)(); });
}

std::vector<Both> masks() {
    return {
        BOTH(VTD_PQ_OFFSET, bit(19) - page_request::size),
        BOTH(VTD_PQA_SIZE, queue_address::size.mask()),
        BOTH(VTD_PQA_ADDR, queue_address::address.mask()),
        BOTH(VTD_PRS_PPR, page_request_status::ppr),
        BOTH(VTD_PRS_PRO, page_request_status::pro),
        BOTH(VTD_PECTL_IM, event_control::im),
        BOTH(VTD_PRQ_TYPE, page_request::type.mask()),
        BOTH(VTD_PRQ_HAS_PASID, page_request::has_pasid.mask()),
        BOTH(VTD_PRQ_RID, page_request::rid.mask()),
        BOTH(VTD_PRQ_PASID, page_request::pasid.mask()),
        BOTH(VTD_PRQ_READ, page_request::read.mask()),
        BOTH(VTD_PRQ_WRITE, page_request::write.mask()),
        BOTH(VTD_PRQ_LAST, page_request::last.mask()),
        BOTH(VTD_PRQ_GROUP, page_request::group.mask()),
        BOTH(VTD_WAIT_FENCE, descriptor::fence.mask()),
        BOTH(VTD_WAIT_DRAIN, descriptor::drain.mask()),
        BOTH(VTD_ANSWER_HAS_PASID, descriptor::response_pasid.mask()),
        BOTH(VTD_ANSWER_CODE, descriptor::response_code.mask()),
        BOTH(VTD_ANSWER_RID, descriptor::response_rid.mask()),
        BOTH(VTD_ANSWER_PASID, descriptor::pasid.mask()),
        BOTH(VTD_ANSWER_GROUP, descriptor::response_group.mask()),
        BOTH(VTD_ROOT_PRESENT, present.mask()),
        BOTH(VTD_ROOT_RESERVED, root::reserved.mask()),
        BOTH(VTD_ROOT_ADDR, root::ctp.mask()),
        BOTH(VTD_CTX_PRESENT, present.mask()),
        BOTH(VTD_CTX_FPD, fault_disable.mask()),
        BOTH(VTD_CTX_TT, ctx::tt.mask()),
        BOTH(VTD_CTX_RESERVED_0, ctx::reserved_0.mask()),
        BOTH(VTD_CTX_SSPTPTR, ctx::ssptptr.mask()),
        BOTH(VTD_CTX_AW, ctx::aw.mask()),
        BOTH(VTD_CTX_DID, ctx::did.mask()),
        BOTH(VTD_CTX_RESERVED_1, ctx::reserved_1.mask() | ctx::reserved_7.mask()),
        BOTH(VTD_SM_CTX_DTE, sm_context::dte.mask()),
        BOTH(VTD_SM_CTX_PASIDE, sm_context::paside.mask()),
        BOTH(VTD_SM_CTX_PRE, sm_context::pre.mask()),
        BOTH(VTD_SM_CTX_RESERVED_0, sm_context::reserved_0.mask()),
        BOTH(VTD_SM_CTX_PDTS, sm_context::pdts.mask()),
        BOTH(VTD_SM_CTX_PASIDDIRPTR, sm_context::pasiddirptr.mask()),
        BOTH(VTD_SM_CTX_RID_PASID, sm_context::rid_pasid.mask()),
        BOTH(VTD_SM_CTX_RESERVED_1, sm_context::reserved_1.mask()),
        BOTH(VTD_PDE_SMPTBLPTR, pasid_directory::smptblptr.mask()),
        BOTH(VTD_PTE_AW, pasid_entry::aw.mask()),
        BOTH(VTD_PTE_PGTT, pasid_entry::pgtt.mask()),
        BOTH(VTD_PTE_SSPTPTR, pasid_entry::ssptptr.mask()),
        BOTH(VTD_PTE_DID, pasid_entry::did.mask()),
        BOTH(VTD_PTE_SRE, pasid_entry::sre.mask()),
        BOTH(VTD_PTE_FSPM, pasid_entry::fspm.mask()),
        BOTH(VTD_PTE_FSPTPTR, pasid_entry::fsptptr.mask()),
        BOTH(VTD_FS_PRESENT, first_stage::p.mask()),
        BOTH(VTD_FS_WRITE, first_stage::rw.mask()),
        BOTH(VTD_FS_USER, first_stage::us.mask()),
        BOTH(VTD_PAGE_LARGE, first_stage::ps.mask()),
        BOTH(VTD_PAGE_LARGE, second_stage::ps.mask()),
        BOTH(VTD_SS_READ, second_stage::r.mask()),
        BOTH(VTD_SS_WRITE, second_stage::w.mask()),
        BOTH(VTD_SS_ADDR, second_stage::address.mask()),
        BOTH(VTD_RTADDR_TTM, rtaddr::ttm.mask()),
        BOTH(VTD_RTADDR_ADDR, rtaddr::address.mask()),
        BOTH(VTD_IRTA_S, irta::size.mask()),
        BOTH(VTD_IRTA_EIME, irta::eime.mask()),
        BOTH(VTD_IRTA_ADDR, irta::address.mask()),
        BOTH(VTD_IRTE_PRESENT, present.mask()),
        BOTH(VTD_IRTE_FPD, fault_disable.mask()),
        BOTH(VTD_IRTE_LOGICAL, irte::logical.mask()),
        BOTH(VTD_IRTE_DELIVERY, irte::delivery.mask()),
        BOTH(VTD_IRTE_POSTED, irte::posted.mask()),
        BOTH(VTD_IRTE_VECTOR, irte::vector.mask()),
        BOTH(VTD_IRTE_DST, irte::destination.mask()),
        BOTH(VTD_IRTE_DST_XAPIC, irte::destination_xapic.mask()),
        BOTH(VTD_IRTE_RSVD_XAPIC, irte::reserved_48_xapic.mask() | irte::reserved_32_xapic.mask()),
        // The kernel counts IM in, and looks only when it is clear or the unit does not know it.
        BOTH(VTD_IRTE_RSVD_0,
             irte::reserved_24.mask() | irte::reserved_12.mask() | irte::posted.mask()),
        BOTH(VTD_IRTE_RSVD_1, irte::reserved_1.mask()),
        BOTH(VTD_POSTED_ADDR_LOW, posted_irte::address_low.mask()),
        BOTH(VTD_POSTED_ADDR_HIGH, posted_irte::address_high.mask()),
        BOTH(VTD_POSTED_RSVD_0, posted_irte::reserved_2.mask() | posted_irte::reserved_12.mask() |
                                    posted_irte::reserved_24.mask()),
        BOTH(VTD_POSTED_RSVD_1, posted_irte::reserved_1.mask()),
        BOTH(VTD_PID_NV, posted_descriptor::vector.mask()),
        BOTH(VTD_FSTS_PPF, fault_status::ppf),
        BOTH(VTD_FSTS_IQE, fault_status::iqe),
        BOTH(VTD_FSTS_ICE, fault_status::ice),
        BOTH(VTD_FSTS_ITE, fault_status::ite),
        BOTH(VTD_FSTS_FRI, fault_status::fri.mask()),
        BOTH(VTD_FECTL_IM, event_control::im),
        BOTH(VTD_FRCD_ADDR, fault_record::address.mask()),
        BOTH(VTD_FRCD_INDEX, fault_record::index.mask()),
        BOTH(VTD_FRCD_SID, fault_record::sid.mask()),
        BOTH(VTD_FRCD_T2, fault_record::t2.mask()),
        BOTH(VTD_FRCD_REASON, fault_record::reason.mask()),
        BOTH(VTD_FRCD_T1, fault_record::t1.mask()),
        BOTH(VTD_FRCD_F, fault_record::f.mask()),
        BOTH(VTD_GCMD_SRTP, command::srtp),
        BOTH(VTD_GSTS_TES, command::translation),
        BOTH(VTD_GSTS_RTPS, command::srtp),
        BOTH(VTD_GSTS_QIES, command::qie),
        BOTH(VTD_GSTS_IRES, command::ire),
        BOTH(VTD_GSTS_ONE_SHOT, command::one_shot),
        BOTH(VTD_QI_TYPE, descriptor::type.mask()),
        BOTH(VTD_QI_SID, descriptor::sid.mask()),
        BOTH(VTD_QI_PASID_SID, descriptor::pasid_sid.mask()),
        BOTH(VTD_QI_ALL_PASIDS, descriptor::all_pasids.mask()),
    };
}

std::vector<Both> numbers() {
    return {
        BOTH(VTD_TABLE_SIZE, page_size),
        BOTH(VTD_TABLE_WORDS, table_words),
        BOTH(VTD_ROOT_ENTRIES, root::entries),
        BOTH(VTD_ROOT_WORDS, root::words),
        BOTH(VTD_CTX_WORDS, ctx::words),
        BOTH(VTD_SM_CTX_WORDS, sm_context::words),
        BOTH(VTD_PTE_WORDS, pasid_entry::words),
        BOTH(VTD_PTE_SIZE, pasid_entry::words * sizeof(u64)),
        BOTH(VTD_PASIDS_PER_TABLE, pasid_entry::per_table),
        BOTH(VTD_SS_LEVEL_BITS, level_bits),
        BOTH(VTD_SS_PAGE_BITS, page_bits),
        BOTH(VTD_IRTE_WORDS, irte::words),
        BOTH(VTD_IRTE_MAX, irte::most),
        BOTH(VTD_FRCD_SIZE, fault_record::size),
        BOTH(VTD_PID_SIZE, posted_descriptor::size),
        BOTH(VTD_PID_CONTROL, posted_descriptor::control),
        BOTH(VTD_REASON_CTX_RESERVED, Reason::context_reserved),
        BOTH(VTD_REASON_SM_CTX_RESERVED, Reason::sm_context_reserved),
        BOTH(VTD_REASON_IR_FIRST, Reason::interrupt_first),
        BOTH(VTD_REASON_IR_LAST, Reason::interrupt_last),
        BOTH(VTD_REG_CAP, reg::cap),
        BOTH(VTD_REG_ECAP, reg::ecap),
        BOTH(VTD_REG_GCMD, reg::gcmd),
        BOTH(VTD_REG_GSTS, reg::gsts),
        BOTH(VTD_REG_RTADDR, reg::rtaddr),
        BOTH(VTD_REG_CCMD, reg::ccmd),
        BOTH(VTD_REG_FSTS, reg::fsts),
        BOTH(VTD_REG_FECTL, reg::fectl),
        BOTH(VTD_REG_IQH, reg::iqh),
        BOTH(VTD_REG_IQT, reg::iqt),
        BOTH(VTD_REG_IRTA, reg::irta),
        BOTH(VTD_REG_PQH, reg::pqh),
        BOTH(VTD_REG_PQT, reg::pqt),
        BOTH(VTD_REG_PQA, reg::pqa),
        BOTH(VTD_REG_PRS, reg::prs),
        BOTH(VTD_REG_PECTL, reg::pectl),
        BOTH(VTD_PRQ_SIZE, page_request::size),
        BOTH(VTD_PRQ_WORDS, page_request::size / sizeof(u64)),
        BOTH(VTD_PRQ_REQUEST, page_request::request),
        BOTH(VTD_WAIT, descriptor::Type::wait),
        BOTH(VTD_ANSWER, descriptor::Type::group_response),
        BOTH(VTD_ANSWER_INVALID, Response::invalid),
        BOTH(VTD_TT_UNTRANSLATED, ctx::Tt::untranslated),
        BOTH(VTD_TT_ALL, ctx::Tt::all),
        BOTH(VTD_TT_PASS_THROUGH, ctx::Tt::pass_through),
        BOTH(VTD_TTM_LEGACY, rtaddr::Ttm::legacy),
        BOTH(VTD_TTM_SCALABLE, rtaddr::Ttm::scalable),
        BOTH(VTD_TTM_EXTENDED, rtaddr::Ttm::reserved),
        BOTH(VTD_TTM_ABORT, rtaddr::Ttm::abort),
        BOTH(VTD_PGTT_FIRST_STAGE, pasid_entry::Pgtt::first),
        BOTH(VTD_PGTT_PASS_THROUGH, pasid_entry::Pgtt::pass_through),
        BOTH(VTD_PGTT_SECOND_STAGE, pasid_entry::Pgtt::second),
        BOTH(VTD_PGTT_NESTED, pasid_entry::Pgtt::nested),
        BOTH(VTD_DELIVERY_FIXED, irte::Delivery::fixed),
        BOTH(VTD_DELIVERY_LOWEST, irte::Delivery::lowest),
        BOTH(VTD_QI_CONTEXT, descriptor::Type::context_cache),
        BOTH(VTD_QI_IOTLB, descriptor::Type::iotlb),
        BOTH(VTD_QI_PASID_IOTLB, descriptor::Type::pasid_iotlb),
        BOTH(VTD_QI_PASID_CACHE, descriptor::Type::pasid_cache),
        BOTH(VTD_QI_DEVTLB, descriptor::Type::device_tlb),
        BOTH(VTD_QI_PASID_DEVTLB, descriptor::Type::pasid_device_tlb),
    };
}

// Whichever bit is set, one answer changes.
std::vector<Both> capabilities() {
    using C = Capabilities;
    return {
        BOTH(VTD_CAP_ND, C::nd.mask()),
        BOTH(VTD_CAP_SAGAW, capability(false,
                                       [](const C& can) {
                                           return can.walks(0) || can.walks(1) || can.walks(2) ||
                                                  can.walks(3) || can.walks(4);
                                       })),
        BOTH(VTD_CAP_MGAW,
             capability(false, [](const C& can) { return can.max_guest_width() > 1; })),
        BOTH(VTD_CAP_ZLR, cap(&C::zero_length_reads)),
        BOTH(VTD_CAP_SSLPS_2M, capability(false, [](const C& can) { return can.large_second(2); })),
        BOTH(VTD_CAP_SSLPS_1G, capability(false, [](const C& can) { return can.large_second(3); })),
        BOTH(VTD_CAP_FS1GP, cap(&C::first_1g)),
        BOTH(VTD_ECAP_FSTS, ecap(&C::first_stage)),
        BOTH(VTD_CAP_FRO, C::fault_offset.mask()),
        BOTH(VTD_CAP_NFR, C::fault_count.mask()),
        BOTH(VTD_CAP_PI, cap(&C::posts)),
        BOTH(VTD_CAP_ESRTPS, cap(&C::flushes_on_srtp)),
        BOTH(VTD_ECAP_DT, ecap(&C::device_tlb)),
        BOTH(VTD_ECAP_PT, ecap(&C::pass_through)),
        BOTH(VTD_ECAP_IRO, C::iro.mask()),
        BOTH(VTD_ECAP_PRS, ecap(&C::page_requests)),
        BOTH(VTD_ECAP_SRS, ecap(&C::supervisor)),
        BOTH(VTD_ECAP_PASID, ecap(&C::pasid)),
        BOTH(VTD_ECAP_PDS, ecap(&C::drains_pages)),
        BOTH(VTD_ECAP_SMTS, ecap(&C::scalable)),
        BOTH(VTD_ECAP_SSTS, ecap(&C::second_stage)),
        BOTH(VTD_ECAP_RPS, ecap(&C::rid_pasid)),
    };
}

// Macros with an argument, and functions: for each argument.
std::vector<Both> functions() {
    std::vector<Both> all;
    for (const unsigned bus : {0U, 0x80U, 0xffU})
        for (const unsigned device : {0U, 1U, 0x1fU})
            for (const unsigned function : {0U, 1U, 7U}) {
                const Rid rid = Rid::of(bus, device, function);
                all.push_back({"VTD_RID_BUS", VTD_RID_BUS(u64{rid.value}), rid.bus()});
                all.push_back({"VTD_RID_SLOT", VTD_RID_SLOT(u64{rid.value}), rid.device()});
                all.push_back(
                    {"VTD_RID_FUNCTION", VTD_RID_FUNCTION(u64{rid.value}), rid.function()});
            }
    for (unsigned aw = 1; aw <= 3; aw++)
        all.push_back({"vtd_paging_levels", vtd_paging_levels(aw), aw + aw_levels});
    for (const u64 ecap : {u64{0x1000}, u64{0x3ff00}, ~u64{0}})
        all.push_back({"VTD_IOTLB_REG", VTD_IOTLB_REG(ecap),
                       Capabilities{.ecap = ecap}.iotlb_register() + 8U});
    for (u64 nd = 0; nd < 7; nd++)
        all.push_back({"vtd_domain_ids", vtd_domain_ids(nd), Capabilities{.cap = nd}.domain_ids()});
    for (u64 pdts = 0; pdts < 8; pdts++)
        all.push_back({"vtd_pasid_directory_size",
                       vtd_pasid_directory_size(sm_context::pdts.make(pdts) | present.mask()),
                       sm_context::directory_entries(pdts) * sizeof(u64)});
    for (u64 size = 0; size < 8; size++)
        all.push_back({"vtd_page_queue_size",
                       vtd_page_queue_size(queue_address::size.make(size) | 1 << 11),
                       page_size << size});
    for (u64 size = 0; size < 16; size++)
        all.push_back({"vtd_irt_entries", vtd_irt_entries(irta::size.make(size) | 1 << 11),
                       irta::entries(size)});
    for (const u64 address : {u64{64}, u64{0xffff'ffc0}, bit(32), ~u64{63}}) {
        const u64 low =
            posted_irte::address_low.make(address >> posted_irte::address_low_shift) | 0xffff;
        const u64 high = posted_irte::address_high.make(address >> 32) | 0xfffff;
        all.push_back({"vtd_posted_descriptor", vtd_posted_descriptor(low, high), address});
    }
    return all;
}

// Names in format.h that are no format of VT-d's, and why.
const std::map<std::string, std::string> exempt = {
    {"VTD_TAKEOVER_FORMAT_H", "guards the file"},
    {"VTD_CCMD_ICC", "of a register that the model keeps to itself; Queues.AreDoneWithout runs it"},
    {"VTD_CCMD_GLOBAL", "as above"},
    {"VTD_CCMD_CAIG", "as above; what the model's unit says it did"},
    {"VTD_IOTLB_IVT", "as above"},
    {"VTD_IOTLB_IAIG", "as above"},
    {"VTD_IOTLB_GLOBAL", "as above"},
    {"VTD_IOTLB_DRAIN", "as above; whatever is written, the model drains"},
    {"VTD_PDTS_OF_PAGE", "follows from the size of a directory, which is compared"},
    {"VTD_FSPM_4_LEVELS", "the model has the number of levels: FSPM + 4"},
    {"VTD_FSPM_5_LEVELS", "as above"},
    {"VTD_FS_PAT_4K", "the model knows nothing of memory types"},
    {"VTD_FS_PAT_LARGE", "as above; its bit is no part of the model's addresses"},
    {"VTD_LARGE_LEVELS", "the model asks its capabilities, level by level"},
    {"VTD_SS_EXECUTE", "the model grants no right to execute"},
    {"VTD_XAPIC_BROADCAST", "the local APIC's: the model's interrupts end at the destination"},
    {"VTD_X2APIC_CLUSTER", "the local APIC's"},
    {"VTD_X2APIC_MEMBERS", "the local APIC's"},
    {"VTD_X2APIC_SIZE", "the local APIC's"},
    {"VTD_VECTOR_FIRST", "the processor's"},
    {"VTD_VECTORS", "the processor's"},
    {"vtd_ttm", "names the type of constants that are compared"},
    {"vtd_tt", "names the type of constants that are compared"},
    {"vtd_delivery", "names the type of constants that are compared"},
};

// Every name that a C header defines: macros, enumerations and their constants, functions.
std::set<std::string> defined(std::string text) {
    text = std::regex_replace(text, std::regex(R"(/\*[^*]*\*+([^/*][^*]*\*+)*/)"), " ");
    std::set<std::string> names;
    const auto collect = [&](const std::string& from, const char* pattern) {
        const std::regex expression(pattern);
        for (std::sregex_iterator at(from.begin(), from.end(), expression), end; at != end; ++at)
            names.insert((*at)[1]);
    };
    collect(text, R"(#\s*define\s+(\w+))");
    collect(text, R"(\b(?:enum|struct|union)\s+(\w+)\s*\{)");
    collect(text, R"(\binline\b[^(]*?\b(\w+)\s*\()");
    const std::regex enumeration(R"(\benum\b[^{;]*\{([^}]*)\})");
    for (std::sregex_iterator at(text.begin(), text.end(), enumeration), end; at != end; ++at)
        collect((*at)[1], R"(\b([A-Za-z_]\w*)\s*(?:=[^,]*)?(?:,|$|\s+$))");
    return names;
}

TEST(Format, TheKernelsMasksAreTheModels) {
    for (const Both& field : masks())
        EXPECT_EQ(field.kernel, field.model) << field.name;
}

TEST(Format, TheKernelsNumbersAreTheModels) {
    for (const Both& number : numbers())
        EXPECT_EQ(number.kernel, number.model) << number.name;
}

TEST(Format, TheKernelsCapabilitiesAreTheModels) {
    for (const Both& capability : capabilities())
        EXPECT_EQ(capability.kernel, capability.model) << capability.name;
    for (unsigned aw = 0; aw < 5; aw++) {
        const u64 sagaw = bit(aw);
        const Capabilities one{.cap = sagaw << (__builtin_ffsll(VTD_CAP_SAGAW) - 1)};
        EXPECT_TRUE(one.walks(aw));
        EXPECT_FALSE(one.walks(aw ? aw - 1 : 4));
    }
}

TEST(Format, TheKernelsFunctionsAreTheModels) {
    for (const Both& function : functions())
        EXPECT_EQ(function.kernel, function.model) << function.name;
}

TEST(Format, EveryNameOfTheKernelIsCompared) {
    std::ifstream file(FORMAT_H);
    ASSERT_TRUE(file) << FORMAT_H;
    const std::set<std::string> names =
        defined({std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()});
    EXPECT_GT(names.size(), 100U);

    std::set<std::string> compared;
    for (const auto& list : {masks(), numbers(), capabilities(), functions()})
        for (const Both& both : list)
            compared.insert(both.name);
    for (const std::string& name : names)
        EXPECT_TRUE(compared.contains(name) != exempt.contains(name))
            << name << ": compare it, or say in `exempt` why not; not both";
    for (const std::string& name : compared)
        EXPECT_TRUE(names.contains(name)) << name << " is compared, and not in format.h";
    for (const auto& [name, why] : exempt)
        EXPECT_TRUE(names.contains(name)) << name << " is exempted, and not in format.h: " << why;
}

TEST(Format, NamesAreFoundHoweverTheyAreWritten) {
    EXPECT_EQ(
        defined("#define A 1\n#  define B(x) ((x) >> C)\n/* #define D * enum E { F }; */\n"
                "enum G { H = 0, I, J = K };\nstatic inline unsigned int l(u64 m)\n"
                "{\n\treturn n(m);\n}\nstatic inline size_t\no(void) {}\nstruct p { u64 q; };"),
        (std::set<std::string>{"A", "B", "G", "H", "I", "J", "l", "o", "p"}));
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
