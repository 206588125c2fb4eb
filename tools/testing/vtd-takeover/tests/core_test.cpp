// SPDX-License-Identifier: GPL-2.0-only
//
// The takeover's kernel code on a tiny machine: three devices of a dead
// kernel on two buses, two of them in one domain, one with an alias. Adopt,
// install, release; and what happens when old memory or our own fails.

#include <algorithm>
#include <array>
#include <set>

#include <gtest/gtest.h>

#include "harness/machine.h"

extern "C" {
#include <linux/bitmap.h>
#include <linux/elf.h>
}

using namespace vtd;

namespace {

constexpr Phys old_root{0x10000000};
constexpr Phys table_of_bus_0{0x10001000};
constexpr Phys upper_of_bus_0{0x10002000};
constexpr Phys table_of_bus_3{0x10003000};
constexpr Phys header{0x2a000000};
constexpr u64 ram_size = 0x100000;

constexpr Rid nic = Rid::of(0, 1, 0);
constexpr Rid disk = Rid::of(0, 31, 2);
constexpr Rid sound = Rid::of(3, 4, 0);
constexpr Rid bridge_alias = Rid::of(3, 0, 0);

constexpr Did shared{5};
constexpr Did single{9};

// A context entry that nobody could mistake for another.
struct Entry {
    Rid rid;
    Did did;
    bool devtlb;
};
constexpr std::array entries{Entry{nic, shared, false}, Entry{disk, shared, true},
                             Entry{sound, single, false}, Entry{bridge_alias, single, false}};

enum class Mode { Legacy, Scalable };

class Core : public testing::TestWithParam<Mode> {
protected:
    Core() {
        machine.unit.scalable = scalable();
        machine.unit.cap = 2;      // ND: 256 domain ids
        machine.gsts = 0xc5000000; // TES, RTPS, QIES, IRTPS
        machine.rtaddr = old_root.value | (scalable() ? 1ULL << 10 : 0);
        const std::array ranges{std::pair{old_root, ram_size}};
        machine.write_elfcorehdr(header, ranges);
        EXPECT_EQ(takeover_oldmem_learn(header.value), 0);

        Page& root = machine.old_page(old_root);
        root[0] = table_of_bus_0.value | 1;
        root[2 * 3] = table_of_bus_3.value | 1;
        if (scalable())
            root[1] = upper_of_bus_0.value | 1;
        machine.old_page(table_of_bus_0);
        machine.old_page(upper_of_bus_0);
        machine.old_page(table_of_bus_3);
        for (const Entry& entry : entries)
            write(entry);
    }

    bool scalable() const { return GetParam() == Mode::Scalable; }
    std::size_t words() const { return scalable() ? 4 : 2; }

    // Where the dead kernel keeps an entry.
    std::span<u64> old(Rid rid) {
        const bool upper = scalable() && (rid.value & 0x80);
        Phys page = rid.value >> 8 ? table_of_bus_3 : upper ? upper_of_bus_0 : table_of_bus_0;
        const std::size_t index = rid.value & (scalable() ? 0x7f : 0xff);
        return std::span{machine.old_page(page)}.subspan(index * words(), words());
    }

    std::span<const u64> ours(Rid rid) {
        const u64* entry = takeover_context_entry(&machine.unit, rid.value);
        return entry ? std::span{entry, words()} : std::span<const u64>{};
    }

    void write(const Entry& entry) {
        const auto to = old(entry.rid);
        to[0] = 0x10040000ULL | u64{entry.rid.value} << 12 | 1;
        to[0] |= entry.devtlb ? 1ULL << 2 : 0; // TT = 01b, or DTE
        to[1] = u64{entry.did.value} << 8 | 2;
        if (scalable())
            to[3] = 0x30 + entry.rid.value;
    }

    void adopt() {
        takeover_snapshot(&machine.unit);
        takeover_adopt(&machine.unit, machine.new_root());
    }

    void adopt_and_install() {
        adopt();
        ASSERT_EQ(takeover_install(&machine.unit), 0);
        machine.events.clear();
    }

    std::set<Rid> held() const {
        std::set<Rid> found;
        for (unsigned rid = 0; rid < 0x10000; rid++)
            if (takeover_holds_rid(&machine.unit, static_cast<u16>(rid)))
                found.insert({static_cast<u16>(rid)});
        return found;
    }

    std::vector<Op> ops() const {
        std::vector<Op> found;
        for (const Event& event : machine.events)
            found.push_back(event.op);
        return found;
    }

    bool logged(std::string_view part) const {
        return std::ranges::any_of(machine.log,
                                   [&](const auto& line) { return line.find(part) != line.npos; });
    }

    void forget_adopted() {
        bitmap_free(machine.unit.adopted);
        machine.unit.adopted = nullptr;
    }

    static bool same(std::span<const u64> a, std::span<const u64> b) {
        return std::ranges::equal(a, b);
    }

    Machine machine;
};

const std::set all_rids{nic, disk, sound, bridge_alias};

TEST_P(Core, AdoptsEveryPresentEntryAndNoOther) {
    adopt();

    EXPECT_EQ(held(), all_rids);
    for (const Entry& entry : entries)
        EXPECT_TRUE(same(ours(entry.rid), old(entry.rid)));
    EXPECT_EQ(machine.unit.nr_adopted, 4U);
    EXPECT_EQ(machine.unit.nr_buses, 2U);
    EXPECT_EQ(machine.unit.nr_dropped, 0U);
    for (unsigned bus = 0; bus < 256; bus++) {
        EXPECT_EQ(machine.unit.root[2 * bus] != 0, bus == 0 || bus == 3);
        EXPECT_EQ(machine.unit.root[2 * bus + 1] != 0, bus == 0 && scalable());
    }
    EXPECT_EQ(ours(Rid::of(0, 2, 0))[0], 0U);
}

TEST_P(Core, ReservesTheIdsOfLegacyEntries) {
    adopt();
    EXPECT_EQ(machine.reserved, scalable() ? std::set<Did>{} : (std::set{shared, single}));
}

TEST_P(Core, FlushesEveryTableBeforeTheHardwareSeesIt) {
    adopt();
    std::set<u64> flushed;
    for (const Event& event : machine.events)
        if (event.op == Op::FlushLines)
            flushed.insert(event.value);

    EXPECT_TRUE(flushed.contains(reinterpret_cast<uintptr_t>(machine.unit.root)));
    for (unsigned word = 0; word < VTD_TABLE_WORDS; word++)
        if (const u64 pointer = machine.unit.root[word]) {
            EXPECT_TRUE(flushed.contains(pointer & ~1ULL));
        }
}

TEST_P(Core, InstallsWithTranslationOn) {
    adopt();
    machine.events.clear();
    ASSERT_EQ(takeover_install(&machine.unit), 0);

    std::vector wanted{Op::FlushWriteBuffer, Op::WriteRtaddr, Op::WriteGcmd, Op::InvContextAll};
    if (scalable())
        wanted.push_back(Op::InvPasidAll);
    wanted.push_back(Op::InvIotlbAll);
    EXPECT_EQ(ops(), wanted);

    EXPECT_EQ(machine.events[1].value,
              reinterpret_cast<uintptr_t>(machine.unit.root) | (scalable() ? 1ULL << 10 : 0));
    // TES and QIES stay as they were; SRTP is the one command, SIRTP is not given again.
    EXPECT_EQ(machine.events[2].value, 0xc4000000U);
    EXPECT_EQ(machine.unit.state, TAKEOVER_INSTALLED);
    EXPECT_TRUE(logged("adopted 4 devices on 2 buses"));
}

TEST_P(Core, LeavesInvalidationToHardwareThatDoesIt) {
    machine.unit.cap |= 1ULL << 63; // ESRTPS
    adopt();
    machine.events.clear();
    ASSERT_EQ(takeover_install(&machine.unit), 0);
    EXPECT_EQ(ops(), (std::vector{Op::FlushWriteBuffer, Op::WriteRtaddr, Op::WriteGcmd}));
}

TEST_P(Core, GivesUpOnAUnitThatDoesNotAnswer) {
    machine.answers = false;
    adopt();
    EXPECT_EQ(takeover_install(&machine.unit), -ETIMEDOUT);
    EXPECT_EQ(machine.unit.state, TAKEOVER_FOUND);
    EXPECT_TRUE(machine.gsts & VTD_GSTS_TES);
    EXPECT_TRUE(logged("does not take the new root table"));
}

TEST_P(Core, ReleasesInTheOrderOfTheSpecification) {
    adopt_and_install();
    device dev{{disk.value}};
    machine.watched = ours(disk).data();
    const u64 before = *machine.watched;

    EXPECT_EQ(takeover_release_device(&machine.unit, &dev), 1U);

    std::vector wanted{Op::FlushLines, Op::FlushWriteBuffer, Op::InvContext};
    if (scalable())
        wanted.insert(wanted.end(), {Op::InvPasidAll, Op::InvIotlbAll});
    else
        wanted.push_back(Op::InvIotlbDomain);
    wanted.insert(wanted.end(), {Op::InvDevtlb, Op::FlushLines});
    EXPECT_EQ(ops(), wanted);

    // The entry stays whole, but for the present bit, until no cache knows it.
    for (const Event& event : machine.events)
        EXPECT_EQ(event.entry, event.op == Op::FlushLines && &event == &machine.events.back()
                                   ? 0
                                   : before & ~1ULL);
    for (const Event& event : machine.events) {
        if (event.op == Op::InvContext || event.op == Op::InvDevtlb) {
            EXPECT_EQ(event.rid, disk);
        }
        if (!scalable() && (event.op == Op::InvContext || event.op == Op::InvIotlbDomain)) {
            EXPECT_EQ(event.did, shared);
        }
    }
}

TEST_P(Core, ReleasesOneDeviceAlone) {
    adopt_and_install();
    device dev{{nic.value}};

    EXPECT_TRUE(takeover_holds_device(&machine.unit, &dev));
    EXPECT_EQ(takeover_release_device(&machine.unit, &dev), 1U);

    EXPECT_FALSE(takeover_holds_device(&machine.unit, &dev));
    EXPECT_EQ(held(), (std::set{disk, sound, bridge_alias}));
    EXPECT_TRUE(std::ranges::all_of(ours(nic), [](u64 word) { return word == 0; }));
    for (const Rid rid : {disk, sound, bridge_alias})
        EXPECT_TRUE(same(ours(rid), old(rid)));

    machine.events.clear();
    EXPECT_EQ(takeover_release_device(&machine.unit, &dev), 0U);
    EXPECT_TRUE(machine.events.empty());
}

TEST_P(Core, ReleasesEveryRequesterIdOfADevice) {
    adopt_and_install();
    device dev{{sound.value, bridge_alias.value, Rid::of(7, 0, 0).value}};

    EXPECT_EQ(takeover_release_device(&machine.unit, &dev), 2U);
    EXPECT_EQ(held(), (std::set{nic, disk}));
    // A device that shares the alias finds nothing left of it.
    device other{{bridge_alias.value}};
    EXPECT_FALSE(takeover_holds_device(&machine.unit, &other));
}

TEST_P(Core, InvalidatesEverythingForAnIdThatNobodyCanName) {
    old(nic)[1] = u64{0x100} << 8 | 2;
    adopt_and_install();
    EXPECT_FALSE(machine.reserved.contains({0x100}));

    device dev{{nic.value}};
    takeover_release_device(&machine.unit, &dev);
    const auto done = ops();
    EXPECT_NE(std::ranges::find(done, Op::InvIotlbAll), done.end());
    EXPECT_EQ(std::ranges::find(done, Op::InvIotlbDomain), done.end());
}

TEST_P(Core, DropsATableThatIsNotInOldRam) {
    // Device registers: reading them would work, and must not happen.
    machine.old_page({0xfee00000})[2 * 4 * 8] = 1;
    machine.old_page(old_root)[2 * 3] = 0xfee00000 | 1;
    adopt();
    EXPECT_EQ(held(), (std::set{nic, disk}));
    EXPECT_EQ(machine.unit.nr_dropped, 1U);
    EXPECT_TRUE(logged("context table of 03:00.0 and on, at 0xfee00000"));
}

TEST_P(Core, DropsATableThatCannotBeRead) {
    machine.poisoned.insert(table_of_bus_0);
    adopt();
    EXPECT_EQ(held(),
              scalable() ? (std::set{disk, sound, bridge_alias}) : (std::set{sound, bridge_alias}));
    EXPECT_EQ(machine.unit.nr_dropped, 1U);
}

TEST_P(Core, BlocksTheUnitWhoseRootIsElsewhere) {
    machine.rtaddr += ram_size;
    machine.old_page({old_root.value + ram_size}) = machine.old_page(old_root);
    adopt();
    EXPECT_TRUE(held().empty());
    EXPECT_TRUE(std::all_of(machine.unit.root, machine.unit.root + VTD_TABLE_WORDS,
                            [](u64 word) { return word == 0; }));
    EXPECT_TRUE(logged("all its devices are blocked"));
    // Blocked means installed and empty, not left alone.
    EXPECT_EQ(takeover_install(&machine.unit), 0);
}

TEST_P(Core, BlocksAModeThatNobodyCanAdopt) {
    for (const u64 ttm : {2ULL, 3ULL}) {
        machine.rtaddr = old_root.value | ttm << 10;
        adopt();
        EXPECT_TRUE(held().empty());
    }
    EXPECT_TRUE(logged("RTADDR 0x10000c00"));
}

// Whichever allocation fails: no entry is held that our tables do not have,
// and nothing but tables in use stays allocated.
TEST_P(Core, SurvivesTheFailureOfEveryAllocation) {
    int successes = 0;
    do {
        machine.allocations = successes++;
        adopt();
        std::size_t tables = 0;
        for (unsigned word = 0; word < VTD_TABLE_WORDS; word++)
            tables += machine.unit.root[word] != 0;
        EXPECT_EQ(machine.live_tables, tables);
        for (const Rid rid : held())
            EXPECT_TRUE(same(ours(rid), old(rid)));
        machine.live_tables = 0;
        const bool complete = held() == all_rids;
        EXPECT_EQ(complete, *machine.allocations >= 0);
        forget_adopted();
        if (complete)
            break;
    } while (successes < 20);
    // The bitmap, the two scratch pages, a table for each half bus in use.
    EXPECT_EQ(successes - 1, scalable() ? 6 : 5);
}

INSTANTIATE_TEST_SUITE_P(Modes, Core, testing::Values(Mode::Legacy, Mode::Scalable),
                         [](const auto& info) {
                             return info.param == Mode::Legacy ? "Legacy" : "Scalable";
                         });

// The map of old RAM.

TEST(OldMemory, IsWhatTheHeaderSays) {
    Machine machine;
    const std::array ranges{std::pair{Phys{0x1000}, u64{0x9000}},
                            std::pair{Phys{0x100000}, u64{0x100000}},
                            std::pair{Phys{0x200000}, u64{0x1000}}};
    machine.write_elfcorehdr(header, ranges);
    ASSERT_EQ(takeover_oldmem_learn(header.value), 0);

    EXPECT_TRUE(takeover_oldmem_plausible(0x1000, 4096));
    EXPECT_TRUE(takeover_oldmem_plausible(0x9000, 4096));
    EXPECT_FALSE(takeover_oldmem_plausible(0xa000, 4096));
    EXPECT_FALSE(takeover_oldmem_plausible(0x9800, 4096));
    // Neighbours are one range.
    EXPECT_TRUE(takeover_oldmem_plausible(0x1ff800, 4096));
    EXPECT_TRUE(takeover_oldmem_plausible(0x200000, 4096));
    EXPECT_FALSE(takeover_oldmem_plausible(0x201000, 4096));
    EXPECT_FALSE(takeover_oldmem_plausible(0, 4096));
    EXPECT_FALSE(takeover_oldmem_plausible(~0ULL & ~0xfffULL, 4096));
}

TEST(OldMemory, WithoutAHeaderTheKernelIsAsked) {
    Machine machine;
    machine.add_old_ram({0x5000}, 0x1000);
    EXPECT_EQ(takeover_oldmem_learn(header.value), -EIO);
    EXPECT_TRUE(takeover_oldmem_plausible(0x5000, 4096));
    EXPECT_FALSE(takeover_oldmem_plausible(0x6000, 4096));

    machine.old_page(header);
    EXPECT_EQ(takeover_oldmem_learn(header.value), -EINVAL);
    EXPECT_TRUE(takeover_oldmem_plausible(0x5000, 4096));
}

TEST(OldMemory, AHeaderThatIsNoCoreTellsNothing) {
    Machine machine;
    const std::array ranges{std::pair{Phys{0x100000}, u64{0x1000}}};
    machine.write_elfcorehdr(header, ranges);
    reinterpret_cast<elf64_hdr*>(machine.old_page(header).data())->e_type = ET_EXEC;
    EXPECT_EQ(takeover_oldmem_learn(header.value), -EINVAL);
    EXPECT_FALSE(takeover_oldmem_plausible(0x100000, 4096));
}

TEST(OldMemory, AHeaderThatBreaksOffTellsNothing) {
    Machine machine;
    const std::vector ranges(100, std::pair{Phys{0x100000}, u64{0x1000}});
    machine.write_elfcorehdr(header, ranges);
    machine.poisoned.insert({header.value + 4096});
    EXPECT_EQ(takeover_oldmem_learn(header.value), -EIO);
    EXPECT_FALSE(takeover_oldmem_plausible(0x100000, 4096));
}

TEST(OldMemory, ForgetsWhatAnEarlierHeaderSaid) {
    Machine machine;
    const std::array first{std::pair{Phys{0x100000}, u64{0x1000}}};
    const std::array second{std::pair{Phys{0x200000}, u64{0x1000}}};
    machine.write_elfcorehdr(header, first);
    ASSERT_EQ(takeover_oldmem_learn(header.value), 0);
    machine.write_elfcorehdr(header, second);
    ASSERT_EQ(takeover_oldmem_learn(header.value), 0);
    EXPECT_FALSE(takeover_oldmem_plausible(0x100000, 4096));
    EXPECT_TRUE(takeover_oldmem_plausible(0x200000, 4096));
}

TEST(OldMemory, HoldsAsManyRangesAsItSays) {
    Machine machine;
    std::vector<std::pair<Phys, u64>> ranges;
    for (u64 i = 1; i <= 600; i++)
        ranges.emplace_back(Phys{i * 0x10000}, 0x1000);
    machine.write_elfcorehdr(header, ranges);
    ASSERT_EQ(takeover_oldmem_learn(header.value), 0);
    EXPECT_TRUE(takeover_oldmem_plausible(512 * 0x10000, 4096));
    EXPECT_FALSE(takeover_oldmem_plausible(513 * 0x10000, 4096));
    EXPECT_NE(machine.log.at(0).find("88 memory ranges"), std::string::npos);
}

TEST(OldMemory, PassesOverARangeThatWraps) {
    Machine machine;
    const std::array ranges{std::pair{Phys{0x1000}, ~u64{0}},
                            std::pair{Phys{0x100000}, u64{0x1000}}};
    machine.write_elfcorehdr(header, ranges);
    EXPECT_EQ(takeover_oldmem_learn(header.value), 0);
    EXPECT_TRUE(takeover_oldmem_plausible(0x100000, 4096));
    EXPECT_FALSE(takeover_oldmem_plausible(0x50000, 4096));
}

// The policy.

TEST(Policy, FollowsTheUnitsThatTranslate) {
    constexpr u32 on = 0x80000000;
    constexpr u64 scalable = 1 << 10;
    takeover_policy policy{};

    takeover_judge_unit(&policy, 2, 0, 0, scalable);
    takeover_judge_unit(&policy, ~0ULL, ~0ULL, ~0U, ~0ULL);
    EXPECT_FALSE(policy.found);

    takeover_judge_unit(&policy, 2, 0, on, 0);
    EXPECT_TRUE(policy.found);
    EXPECT_FALSE(policy.scalable);

    takeover_judge_unit(&policy, 2, 0, on, scalable);
    takeover_judge_unit(&policy, 2, 0, on, 0);
    EXPECT_TRUE(policy.scalable);
}

TEST(Policy, ReadsItsOption) {
    takeover_mode mode = TAKEOVER_ADOPT;
    EXPECT_EQ(takeover_parse_mode("off", &mode), 0);
    EXPECT_EQ(mode, TAKEOVER_OFF);
    EXPECT_EQ(takeover_parse_mode("of", &mode), -EINVAL);
    EXPECT_EQ(takeover_parse_mode(nullptr, &mode), -EINVAL);
    EXPECT_EQ(mode, TAKEOVER_OFF);
    EXPECT_EQ(takeover_parse_mode("adopt", &mode), 0);
    EXPECT_EQ(mode, TAKEOVER_ADOPT);
}

} // namespace
