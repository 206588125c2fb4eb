// SPDX-License-Identifier: GPL-2.0-only
//
// The model's walk, on tables written by hand: what chapter 3 says of each table, and chapter 7 of
// each fault.

#include <map>

#include <gtest/gtest.h>

#include "model/paging.h"
#include "model/translation.h"

namespace {

using namespace vtd::model;
namespace ctx = vtd::model::context;

// Words by address; where there is none there is zero, and beyond `end` no memory.
class Words : public Source {
public:
    std::optional<u64> word(Table table, Hpa at) override {
        seen.push_back(table);
        if (at >= end)
            return {};
        const auto found = words.find(at);
        return found == words.end() ? 0 : found->second;
    }
    u64& operator[](Hpa at) { return words[at]; }

    std::optional<Translation> cached_page(const Tag&, Iova) override { return page; }

    std::map<Hpa, u64> words;
    std::optional<Translation> page; // that is cached, of any address
    Hpa end{u64{1} << 40};
    std::vector<Table> seen;
};

constexpr Hpa root_table{0x1000}, context_table{0x2000}, directory{0x3000}, pasid_table{0x4000};
constexpr Hpa tables[] = {{0}, {0x11000}, {0x12000}, {0x13000}, {0x14000}, {0x15000}};
constexpr Rid nic = Rid::of(3, 4, 5);
constexpr Iova iova{0x7654321'000 & 0x7fffffffff};
constexpr Hpa target{0x5432'1000};
constexpr u64 rw = 3, r = 1, w = 2;

class Translate : public testing::Test {
protected:
    Translate() {
        unit.capabilities.cap = (u64{0b1110} << 8) | (u64{56} << 16) | (u64{3} << 34) |
                                (u64{1} << 22); // SAGAW, MGAW, SSLPS, ZLR
        unit.capabilities.ecap = ecap_dt | ecap_pt | ecap_pasid | ecap_ssts | ecap_fsts | ecap_rps |
                                 ecap_nest | ecap_srs | ecap_smts;
        unit.rtaddr = root_table.value;
    }

    static constexpr u64 ecap_dt = u64{1} << 2, ecap_pt = u64{1} << 6, ecap_sc = u64{1} << 7,
                         ecap_nest = u64{1} << 26, ecap_srs = u64{1} << 31,
                         ecap_pasid = u64{1} << 40, ecap_smts = u64{1} << 43,
                         ecap_ssts = u64{1} << 46, ecap_fsts = u64{1} << 47,
                         ecap_rps = u64{1} << 49;

    Hpa root_entry() const { return root_table + nic.bus() * 16U; }
    Hpa entry(unsigned word) const {
        const unsigned index = scalable ? nic.devfn() & 0x7f : nic.devfn();
        return context_table + index * (scalable ? 32U : 16U) + word * 8;
    }
    Hpa slot(unsigned level, Iova at) const {
        return tables[level] + (at.value >> level_shift(level) & 511) * 8;
    }

    // 39-bit tables, from the context entry to one page.
    void legacy(u64 rights = rw) {
        memory[root_entry()] = context_table.value | 1;
        memory[entry(0)] = tables[3].value | 1;
        memory[entry(1)] = u64{77} << 8 | 1;
        pages(3, rights);
    }

    void pages(unsigned levels, u64 rights) {
        for (unsigned level = levels; level > 1; level--)
            memory[slot(level, iova)] = tables[level - 1].value | rights;
        memory[slot(1, iova)] = target.value | rights;
    }

    void scalable_mode(pasid_entry::Pgtt pgtt) {
        scalable = true;
        unit.rtaddr |= 1 << 10;
        memory[root_entry()] = context_table.value | 1;
        memory[entry(0)] = directory.value | 1;
        memory[entry(1)] = 65; // RID_PASID: second table, second entry
        memory[directory + 8] = pasid_table.value | 1;
        memory[pasid_word(0)] = tables[4].value | static_cast<u64>(pgtt) << 6 | 2 << 2 | 1;
        memory[pasid_word(1)] = 77;
    }
    Hpa pasid_word(unsigned word) const { return pasid_table + 64 + word * 8; }

    Outcome go(Access access = Access::read, Iova at = iova) {
        Request request{.rid = nic, .iova = at, .access = access, .kind = kind, .pasid = pasid};
        request.privileged = privileged;
        return translate(unit, request, memory);
    }
    static Outcome page(Hpa at, unsigned bits, bool read, bool write) {
        return Translation{at, bits, read, write, {77}, false};
    }
    static Outcome refused(Reason reason, bool recorded = true) { return Fault{reason, recorded}; }

    Words memory;
    Hardware unit;
    bool scalable = false;
    Kind kind = Kind::untranslated;
    std::optional<Pasid> pasid;
    bool privileged = false;
};

TEST_F(Translate, LegacyPage) {
    legacy();
    EXPECT_EQ(go(), page(target, 12, true, true));
    EXPECT_EQ(memory.seen.size(), 2U + 2 + 3);
    unit.capabilities.ecap = 0;
    EXPECT_EQ(go(Access::atomic), page(target, 12, true, true));
}

TEST_F(Translate, LegacyFaultsOneByOne) {
    EXPECT_EQ(go(), refused(Reason::root_not_present));
    memory[root_entry()] = context_table.value | 1;
    EXPECT_EQ(go(), refused(Reason::context_not_present));
    memory[entry(0)] = 2;
    EXPECT_EQ(go(), refused(Reason::context_not_present, false));
    legacy();
    memory[root_entry()] |= 0x800;
    EXPECT_EQ(go(), refused(Reason::root_reserved));
    legacy();
    memory[root_entry() + 8] = 1;
    EXPECT_EQ(go(), refused(Reason::root_reserved));
    memory[root_entry() + 8] = 0;
    memory[entry(0)] |= 0x10;
    EXPECT_EQ(go(), refused(Reason::context_reserved));
    memory[entry(0)] |= 2; // and told, whatever FPD says
    EXPECT_EQ(go(), refused(Reason::context_reserved));
    legacy();
    memory[entry(1)] |= 1 << 7;
    EXPECT_EQ(go(), refused(Reason::context_reserved));
    legacy();
    for (const unsigned level : {1U, 2U}) {
        const u64 sound = memory[slot(level, iova)];
        memory[slot(level, iova)] |= u64{1} << 62;
        EXPECT_EQ(go(), refused(Reason::paging_reserved));
        memory[slot(level, iova)] = sound | u64{1} << 63; // ignored
        EXPECT_EQ(go(), page(target, 12, true, true));
        memory[slot(level, iova)] = sound;
    }
    for (const u64 bad : {u64{0}, u64{4}}) { // 30 bits, and an encoding without meaning
        memory[entry(1)] = bad;
        EXPECT_EQ(go(), refused(Reason::context_invalid));
    }
    legacy();
    memory[entry(0)] |= 3 << 2;
    EXPECT_EQ(go(), refused(Reason::context_invalid));
    memory[entry(0)] |= 2;
    EXPECT_EQ(go(), refused(Reason::context_invalid, false));
    unit.rtaddr |= 3 << 10;
    EXPECT_EQ(go(), refused(Reason::rtaddr_invalid));
}

TEST_F(Translate, NoMemoryWhereATableShouldBe) {
    legacy();
    unit.rtaddr = memory.end.value;
    EXPECT_EQ(go(), refused(Reason::root_access));
    unit.rtaddr = root_table.value;
    memory[root_entry()] = memory.end.value | 1;
    EXPECT_EQ(go(), refused(Reason::context_access));
    legacy();
    memory[slot(3, iova)] = memory.end.value | rw;
    EXPECT_EQ(go(), refused(Reason::paging_access));
}

TEST_F(Translate, RightsAreThoseOfAllLevels) {
    legacy();
    memory[slot(2, iova)] = tables[1].value | r;
    EXPECT_EQ(go(), page(target, 12, true, false));
    EXPECT_EQ(go(Access::write), refused(Reason::no_write));
    EXPECT_EQ(go(Access::atomic), refused(Reason::no_write));
    memory[slot(2, iova)] = tables[1].value | rw;
    memory[slot(1, iova)] = target.value | w;
    EXPECT_EQ(go(Access::write), page(target, 12, false, true));
    EXPECT_EQ(go(), refused(Reason::no_read));
    EXPECT_EQ(go(Access::zero_length_read), page(target, 12, false, true));
    unit.capabilities.cap &= ~(u64{1} << 22);
    EXPECT_EQ(go(Access::zero_length_read), refused(Reason::no_read));
    memory[slot(1, iova)] = target.value;
    EXPECT_EQ(go(), refused(Reason::no_read));
    EXPECT_EQ(go(Access::write), refused(Reason::no_write));
}

TEST_F(Translate, LargePages) {
    legacy();
    memory[slot(2, iova)] = 0x8000'0000 | 0x80 | rw;
    EXPECT_EQ(go(), page({0x8000'0000}, 21, true, true));
    memory[slot(2, iova)] |= 0x1000;
    EXPECT_EQ(go(), refused(Reason::paging_reserved));
    memory[slot(3, iova)] = 0x4000'0000 | 0x80 | rw;
    EXPECT_EQ(go(), page({0x4000'0000}, 30, true, true));
    unit.capabilities.cap &= ~(u64{2} << 34); // no more 1 GiB
    EXPECT_EQ(go(), refused(Reason::paging_reserved));
}

TEST_F(Translate, ReservedBitsOfPagingEntries) {
    legacy();
    memory[slot(1, iova)] |= u64{1} << unit.capabilities.host_width;
    EXPECT_EQ(go(), refused(Reason::paging_reserved));
    memory[slot(1, iova)] = target.value | 0x800 | rw; // SNP
    EXPECT_EQ(go(), refused(Reason::paging_reserved));
    unit.capabilities.ecap |= ecap_sc;
    EXPECT_EQ(go(), page(target, 12, true, true));
}

TEST_F(Translate, WidthIsTheNarrower) {
    legacy();
    EXPECT_EQ(go(Access::read, {iova.value | u64{1} << 39}), refused(Reason::beyond_width));
    memory[entry(1)] = u64{77} << 8 | 2; // 48 bits: one table more
    memory[entry(0)] = tables[4].value | 1;
    memory[slot(4, iova)] = tables[3].value | rw;
    EXPECT_EQ(go(), page(target, 12, true, true));
    unit.capabilities.cap &= ~(u64{63} << 16);
    unit.capabilities.cap |= u64{37} << 16; // MGAW 38
    EXPECT_EQ(go(), refused(Reason::beyond_width));
}

TEST_F(Translate, PassThrough) {
    legacy();
    memory[entry(0)] = 2 << 2 | 1;
    EXPECT_EQ(go(), (Outcome{Translation{{iova.value}, 12, true, true, {77}, true}}));
    EXPECT_EQ(go(Access::read, {u64{1} << 46}), refused(Reason::beyond_width));
    EXPECT_EQ(go(Access::read, {0xfee00000}), refused(Reason::interrupt_address));
    unit.capabilities.ecap &= ~ecap_pt;
    EXPECT_EQ(go(), refused(Reason::context_invalid));
}

TEST_F(Translate, NoPageIsAnInterruptsAddress) {
    legacy();
    memory[slot(1, iova)] = 0xfee01000 | rw;
    EXPECT_EQ(go(), refused(Reason::interrupt_address));
}

TEST_F(Translate, TranslatedRequestsNeedADeviceTlb) {
    legacy();
    kind = Kind::translated;
    EXPECT_EQ(go(), refused(Reason::context_blocks_at));
    memory[entry(0)] |= 1 << 2;
    EXPECT_EQ(go(), (Outcome{Translation{{iova.value}, 12, true, true, {77}, true}}));
    kind = Kind::translation_request;
    EXPECT_EQ(go(), page(target, 12, true, true));
}

TEST_F(Translate, ScalableSecondStage) {
    scalable_mode(pasid_entry::Pgtt::second);
    EXPECT_EQ(go(), refused(Reason::second_not_present));
    pages(4, rw);
    EXPECT_EQ(go(), page(target, 12, true, true));
    memory[pasid_word(0)] |= 2;
    memory[slot(1, iova)] = target.value | r;
    EXPECT_EQ(go(Access::write), refused(Reason::second_not_present, false));
    memory[slot(1, iova)] |= u64{1} << 50;
    EXPECT_EQ(go(), refused(Reason::second_reserved, false));
}

TEST_F(Translate, ScalableFaultsOneByOne) {
    scalable_mode(pasid_entry::Pgtt::second);
    const auto good = memory.words;
    const auto damaged = [&](Hpa at, u64 value) {
        memory.words = good;
        memory[at] = value;
        return go();
    };
    EXPECT_EQ(damaged(root_entry(), 0), refused(Reason::sm_root_not_present));
    EXPECT_EQ(damaged(root_entry(), context_table.value | 3), refused(Reason::sm_root_reserved));
    EXPECT_EQ(damaged(root_entry(), memory.end.value | 1), refused(Reason::sm_context_access));
    EXPECT_EQ(damaged(entry(0), 2), refused(Reason::sm_context_not_present, false));
    EXPECT_EQ(damaged(entry(0), directory.value | 0x101), refused(Reason::sm_context_reserved));
    EXPECT_EQ(damaged(entry(3), 1), refused(Reason::sm_context_reserved));
    EXPECT_EQ(damaged(entry(0), directory.value | 0x11), refused(Reason::sm_context_invalid));
    EXPECT_EQ(damaged(entry(1), 128 * 64), refused(Reason::sm_rid_pasid));
    EXPECT_EQ(damaged(entry(0), memory.end.value | 1), refused(Reason::pasid_directory_access));
    EXPECT_EQ(damaged(directory + 8, 2), refused(Reason::pasid_directory_not_present, false));
    EXPECT_EQ(damaged(directory + 8, 5), refused(Reason::pasid_directory_reserved));
    EXPECT_EQ(damaged(directory + 8, memory.end.value | 1), refused(Reason::pasid_access));
    EXPECT_EQ(damaged(pasid_word(0), 0), refused(Reason::pasid_not_present));
    EXPECT_EQ(damaged(pasid_word(7), 1), refused(Reason::pasid_reserved));
    EXPECT_EQ(damaged(pasid_word(0), 7 << 6 | 1), refused(Reason::pasid_invalid));
    EXPECT_EQ(damaged(pasid_word(0), 2 << 6 | 1), refused(Reason::pasid_invalid)); // AW 0
    EXPECT_EQ(damaged(pasid_word(0), memory.end.value | 2 << 6 | 2 << 2 | 1),
              refused(Reason::second_root_access));
}

TEST_F(Translate, PasidIsZeroWithoutRps) {
    scalable_mode(pasid_entry::Pgtt::pass_through);
    EXPECT_EQ(go(), (Outcome{Translation{{iova.value}, 12, true, true, {77}, true}}));
    unit.capabilities.ecap &= ~ecap_rps;
    EXPECT_EQ(go(), refused(Reason::pasid_directory_not_present));
}

TEST_F(Translate, RequestsWithPasid) {
    pasid = Pasid{65};
    legacy();
    EXPECT_EQ(go(), refused(Reason::rtaddr_ttm_pasid));
    scalable_mode(pasid_entry::Pgtt::second);
    pages(4, rw);
    EXPECT_EQ(go(), refused(Reason::sm_no_paside));
    memory[entry(0)] |= 1 << 3;
    memory[entry(1)] = 0;
    EXPECT_EQ(go(), page(target, 12, true, true));
    pasid = Pasid{1 << 19};
    EXPECT_EQ(go(), refused(Reason::sm_pasid_too_large));
    kind = Kind::translated;
    EXPECT_EQ(go(), refused(Reason::sm_no_dte));
}

class FirstStageTables : public Translate {
protected:
    static constexpr u64 p = 1, writable = 2, user = 4;
    FirstStageTables() {
        scalable_mode(pasid_entry::Pgtt::first);
        memory[pasid_word(2)] = tables[4].value;
        memory[pasid_word(0)] = 1 << 6 | 1;
        pages(4, p | writable | user);
    }
};

TEST_F(FirstStageTables, Page) {
    EXPECT_EQ(go(Access::write), page(target, 12, true, true));
    memory[slot(3, iova)] = tables[2].value | p | user;
    EXPECT_EQ(go(), page(target, 12, true, false));
    EXPECT_EQ(go(Access::write), refused(Reason::sm_no_write));
    memory[slot(2, iova)] = 0;
    EXPECT_EQ(go(), refused(Reason::first_not_present));
}

// A nested page may be for writing only, and in the caches it is that as well.
TEST_F(FirstStageTables, ACachedPageHasItsRights) {
    for (const bool read : {true, false})
        for (const bool write : {true, false}) {
            memory.page = Translation{target, 12, read, write, {}};
            EXPECT_EQ(go(Access::read), read ? Outcome{*memory.page} : refused(Reason::sm_no_read));
            EXPECT_EQ(go(Access::write),
                      write ? Outcome{*memory.page} : refused(Reason::sm_no_write));
        }
}

TEST_F(FirstStageTables, AddressesAreCanonical) {
    const Iova high{~u64{0} << 47};
    EXPECT_EQ(go(Access::read, {u64{1} << 47}), refused(Reason::not_canonical));
    memory[slot(4, high)] = tables[3].value | p | user;
    memory[slot(3, high)] = u64{0x4000'0000} | 0x80 | p | user;
    EXPECT_EQ(go(Access::read, high), refused(Reason::first_reserved));
    unit.capabilities.cap |= u64{1} << 56; // FS1GP
    EXPECT_EQ(go(Access::read, high), page({0x4000'0000}, 30, true, false));
}

TEST_F(FirstStageTables, PagesOfTheSupervisor) {
    memory[slot(4, iova)] = tables[3].value | p | writable;
    EXPECT_EQ(go(), refused(Reason::first_privilege));
    memory[entry(0)] |= 1 << 3;
    pasid = Pasid{65};
    privileged = true;
    EXPECT_EQ(go(), refused(Reason::pasid_no_sre));
    memory[pasid_word(2)] |= 1;
    EXPECT_EQ(go(), page(target, 12, true, true));
    memory[slot(1, iova)] = target.value | p;
    EXPECT_EQ(go(Access::write), page(target, 12, true, true));
    memory[pasid_word(2)] |= 1 << 4; // WPE
    EXPECT_EQ(go(Access::write), refused(Reason::sm_no_write));
}

TEST_F(FirstStageTables, FiveLevels) {
    memory[pasid_word(2)] = tables[5].value | 1 << 2;
    EXPECT_EQ(go(), refused(Reason::pasid_invalid));
    unit.capabilities.cap |= u64{1} << 60;
    EXPECT_EQ(go(), refused(Reason::first_not_present));
    memory[slot(5, iova)] = tables[4].value | p | writable | user;
    EXPECT_EQ(go(), page(target, 12, true, true));
}

TEST_F(FirstStageTables, ThroughASecondStage) {
    // Guest and host addresses differ: the second stage adds one GiB to everything.
    constexpr Hpa second{0x20000}, middle{0x21000};
    constexpr u64 shift = 0x4000'0000;
    memory[pasid_word(0)] = second.value | 3 << 6 | 1 << 2 | 1;
    memory[second] = middle.value | rw;
    for (u64 i = 0; i < 4; i++)
        memory[second + i * 8] = (shift * (i + 1)) | 0x80 | rw;
    Words guest = memory;
    for (const auto& [at, word] : guest.words)
        if (at >= tables[1] && at < Hpa{0x16000})
            memory[at + shift] = word;
    for (const Hpa table : tables)
        for (u64 i = 0; i < 512 && table.value; i++)
            memory.words.erase(table + i * 8);
    EXPECT_EQ(go(Access::write), page(target + shift, 12, true, true));
    memory[second + 8] = 2 * shift | 0x80 | r;
    EXPECT_EQ(go(), page(target + shift, 12, true, false));
    EXPECT_EQ(go(Access::write), refused(Reason::second_not_present));
    memory[second + 8] = 2 * shift | 0x80 | w;
    EXPECT_EQ(go(Access::write), page(target + shift, 12, false, true));
    EXPECT_EQ(go(), refused(Reason::second_not_present));
    memory[second + 8] = 2 * shift | 0x80 | rw;
    memory[second] = shift | 0x80 | r; // the accessed bits cannot be set
    EXPECT_EQ(go(), refused(Reason::second_not_present));
    memory[second] = shift | 0x80 | w; // nor the tables be read
    EXPECT_EQ(go(), refused(Reason::second_not_present));
    unit.capabilities.ecap &= ~ecap_nest;
    EXPECT_EQ(go(), refused(Reason::pasid_invalid));
}

} // namespace
