// SPDX-License-Identifier: GPL-2.0-only
//
// The takeover's kernel code on a dead machine: adopt, install, release; the
// map of old memory; the policy. What cannot be adopted is closed_test.cpp's.

#include "tests/dead_machine.h"

extern "C" {
#include <linux/elf.h>
}

using namespace vtd;

namespace {

class Core : public DeadMachine {};

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

TEST_P(Core, HasNoTableForABusWithoutEntries) {
    std::ranges::fill(machine.old_page(table_of_bus_3), 0);
    adopt();
    EXPECT_EQ(machine.unit.root[2 * 3], 0U);
    EXPECT_EQ(held(), (std::set{nic, disk}));
    EXPECT_EQ(machine.unit.nr_buses, 1U);
    EXPECT_EQ(machine.unit.nr_tables_dropped, 0U);
    EXPECT_EQ(machine.live_tables, scalable() ? 2U : 1U);
}

TEST_P(Core, ReservesTheIdsOfLegacyEntries) {
    adopt();
    EXPECT_EQ(machine.reserved, scalable() ? std::set<Did>{} : (std::set{shared, single}));
}

// Scalable mode has ids in the PASID entry that requests without PASID use.
class PasidIds : public DeadMachine {
protected:
    static constexpr Phys directory{0x10800000};
    static constexpr Phys tables[] = {{0x10801000}, {0x10802000}};

    PasidIds() {
        old(nic)[0] = directory.value | 1; // PDTS 0: 128 entries
        machine.old_page(directory)[0] = tables[0].value | 1;
        machine.old_page(directory)[3] = tables[1].value | 1;
        give(0, 0, 0x21);
        give(1, 5, 0x22);
    }

    void give(unsigned table, unsigned index, u64 did) {
        machine.old_page(tables[table])[8 * index] = 1;
        machine.old_page(tables[table])[8 * index + 1] = did | 0xff0000;
    }

    // PASID 0, and one that another entry of the directory is for.
    void expect(std::set<Did> ids) {
        adopt();
        EXPECT_EQ(machine.reserved, ids);
        EXPECT_TRUE(takeover_holds_rid(&machine.unit, nic.value));
        start_again();
    }
};

TEST_P(PasidIds, AreReserved) {
    machine.unit.ecap |= 1ULL << 49; // RPS
    old(nic)[1] = 0;
    expect({{0x21}});
    old(nic)[1] = 3 * 64 + 5;
    expect({{0x22}});
}

TEST_P(PasidIds, AreThoseOfPasidZeroWithoutRps) {
    machine.unit.ecap &= ~(1ULL << 49);
    old(nic)[1] = 3 * 64 + 5;
    expect({{0x21}});
}

TEST_P(PasidIds, AreNotSoughtWhereTheUnitFaults) {
    machine.unit.ecap |= 1ULL << 49;
    old(nic)[1] = 64; // no table
    expect({});
    old(nic)[1] = 1; // no entry
    expect({});
    old(nic)[1] = 128 * 64; // beyond the directory
    expect({});
    give(0, 0, 0x100); // an id that the unit does not have
    old(nic)[1] = 0;
    expect({});
}

TEST_P(PasidIds, AreNotSoughtOutsideOfOldRam) {
    old(nic)[1] = 0;
    machine.old_page({0xfee00000})[0] = 1;
    machine.old_page({0xfee00000})[1] = 0x23;
    machine.old_page(directory)[0] = 0xfee00000 | 1;
    expect({});
    machine.old_page(directory)[0] = tables[0].value | 1;
    machine.poisoned.insert(tables[0]);
    expect({});
}

// With PASIDs a device may use every entry of its directory.
class PasidDirectory : public PasidIds {
protected:
    PasidDirectory() { use(0); }

    // 2^(pdts + 7) entries.
    void use(u64 pdts) { old(nic)[0] = directory.value | pdts << 9 | 1 << 3 | 1; }

    // All of the directory leads to one table.
    void repeat(Phys at, unsigned entries) {
        for (unsigned i = 0; i < entries; i++)
            machine.old_page({at.value + i / 512 * 4096})[i % 512] = tables[0].value | 1;
    }
};

TEST_P(PasidDirectory, HasTheIdsOfAllItsTables) {
    give(0, 63, 0x23);
    give(1, 0, 0x24);
    expect({{0x21}, {0x22}, {0x23}, {0x24}});
    EXPECT_EQ(machine.unit.nr_pasid_pages, 0U); // started again
    adopt();
    EXPECT_EQ(machine.unit.nr_pasid_pages, 1U + 2);
}

TEST_P(PasidDirectory, LosesThePartsThatCannotBeRead) {
    use(3); // two pages
    machine.old_page({directory.value + 4096})[511] = tables[1].value | 1;
    machine.poisoned.insert(directory);
    give(1, 63, 0x25);
    expect({{0x22}, {0x25}});
}

// WARY: so many pages are a few that are named again and again. The bound is the unit's.
class PasidBomb : public PasidDirectory {
protected:
    static constexpr Phys every{0x10900000}, some{0x10a00000};
    static constexpr unsigned most = 16384; // entries of a directory, on 32 pages
    static constexpr unsigned bound = 65536, left = bound - 4 * 32 - 3 * most;

    // The last device's directory has so many tables, those of the others have all.
    void fill(unsigned last) {
        start_again();
        machine.unit.ecap |= 1ULL << 40; // PASID
        repeat(every, most);
        for (unsigned i = 0; i < most; i++)
            machine.old_page({some.value + i / 512 * 4096})[i % 512] = 0;
        repeat(some, last);
        for (const Rid rid : all_rids)
            old(rid)[0] = (rid == sound ? some : every).value | 7 << 9 | 1 << 3 | 1;
    }
};

TEST_P(PasidBomb, IsWhatCannotBeTrue) {
    fill(left);
    adopt();
    EXPECT_EQ(machine.unit.nr_pasid_pages, bound);
    EXPECT_EQ(machine.unit.nr_dropped, 0U);

    fill(left + 1);
    adopt();
    EXPECT_TRUE(blocked(sound));
    EXPECT_TRUE(takeover_holds_rid(&machine.unit, sound.value));
    EXPECT_EQ(machine.unit.nr_dropped, 1U);
    EXPECT_EQ(lines("dmar0: 03:04.0: entry dropped: too many PASIDs to read (-7)"), 1U);
    for (const Rid rid : {nic, disk, bridge_alias})
        EXPECT_TRUE(same(ours(rid), old(rid)));
}

// Once is not enough: what comes after it is not read either.
TEST_P(PasidBomb, GoesOnAndOn) {
    fill(most);
    for (unsigned n = 0; n < 24; n++) // slots behind those
        old(Rid::of(3, 8 + n / 8, n % 8))[0] = every.value | 7 << 9 | 1 << 3 | 1;
    adopt();
    EXPECT_EQ(machine.unit.nr_dropped, 1U + 24);
    EXPECT_LE(machine.reads, 8 * (bound + 32U));
}

TEST_P(PasidBomb, IsDroppedWithoutAWordAfterAFew) {
    fill(most);
    for (unsigned n = 0; n < TAKEOVER_REPORTS_MAX; n++)
        old(Rid::of(0, 2 + n / 8, n % 8))[0] = 0xfee00000 | 1;
    adopt();
    EXPECT_EQ(machine.unit.nr_dropped, TAKEOVER_REPORTS_MAX + 1U);
    EXPECT_EQ(lines("is not in old RAM"), std::size_t{TAKEOVER_REPORTS_MAX});
    // Who watches is told of each.
    EXPECT_EQ(machine.traced.size(), machine.unit.nr_dropped);
    EXPECT_TRUE(std::ranges::all_of(machine.traced, [](const Traced& traced) {
        return traced.event == VTD_TRACE_DROP && traced.before & 1 && !traced.now;
    }));
    EXPECT_EQ(lines("too many PASIDs"), 0U);
}

INSTANTIATE_TEST_SUITE_P(Scalable, PasidBomb, testing::Values(Mode::Scalable),
                         [](const auto&) { return "Scalable"; });
INSTANTIATE_TEST_SUITE_P(Scalable, PasidDirectory, testing::Values(Mode::Scalable),
                         [](const auto&) { return "Scalable"; });
INSTANTIATE_TEST_SUITE_P(Scalable, PasidIds, testing::Values(Mode::Scalable),
                         [](const auto&) { return "Scalable"; });

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

    // Before the command, too: of ids that nobody in the old tables has.
    std::vector forgets{Op::InvContextAll, Op::InvIotlbAll};
    if (scalable())
        forgets.insert(forgets.begin() + 1, Op::InvPasidAll);
    std::vector wanted{Op::FlushWriteBuffer};
    wanted.insert(wanted.end(), forgets.begin(), forgets.end());
    wanted.insert(wanted.end(), {Op::WriteRtaddr, Op::WriteGcmd});
    wanted.insert(wanted.end(), forgets.begin(), forgets.end());
    EXPECT_EQ(ops(), wanted);

    const std::size_t command = 1 + forgets.size();
    EXPECT_EQ(machine.events[command].value,
              reinterpret_cast<uintptr_t>(machine.unit.root) | (scalable() ? 1ULL << 10 : 0));
    // TES and QIES stay as they were; SRTP is the one command, SIRTP is not given again.
    EXPECT_EQ(machine.events[command + 1].value, 0xc4000000U);
    EXPECT_EQ(machine.unit.state, TAKEOVER_INSTALLED);
    EXPECT_TRUE(logged("adopted 4 devices on 2 buses"));
}

TEST_P(Core, LeavesInvalidationToHardwareThatDoesIt) {
    machine.unit.cap |= 1ULL << 63; // ESRTPS
    adopt();
    machine.events.clear();
    ASSERT_EQ(takeover_install(&machine.unit), 0);
    EXPECT_EQ(std::ranges::count(ops(), Op::InvIotlbAll), 1);
    EXPECT_EQ(ops().back(), Op::WriteGcmd);
}

TEST_P(Core, ReleasesInTheOrderOfTheSpecification) {
    adopt_and_install();
    device dev{.rids = {disk.value}, .on = VTD_DEVICE_ATS};
    machine.watched = ours(disk).data();
    const u64 before = *machine.watched;

    EXPECT_EQ(takeover_release_device(&machine.unit, &dev), 1);

    std::vector wanted{Op::FlushLines, Op::FlushWriteBuffer, Op::InvContext};
    if (scalable())
        wanted.insert(wanted.end(), {Op::InvPasidAll, Op::InvIotlbAll});
    else
        wanted.push_back(Op::InvIotlbDomain);
    wanted.insert(wanted.end(), {Op::InvDevtlb, Op::InvDevtlb, Op::DeviceOff});
    EXPECT_EQ(ops(), wanted);
    EXPECT_EQ(machine.traced, (std::vector<Traced>{{VTD_TRACE_RELEASE, disk.value, 0, 0}}));

    // The entry stays whole, but for the present bit, until no cache knows it.
    for (const Event& event : machine.events)
        EXPECT_EQ(event.entry, before & ~1ULL);
    for (const u64 word : ours(disk))
        EXPECT_EQ(word, 0U);
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
    device dev{.rids = {nic.value}};

    EXPECT_TRUE(takeover_holds_device(&machine.unit, &dev));
    EXPECT_EQ(takeover_release_device(&machine.unit, &dev), 1);

    EXPECT_FALSE(takeover_holds_device(&machine.unit, &dev));
    EXPECT_EQ(held(), (std::set{disk, sound, bridge_alias}));
    EXPECT_TRUE(std::ranges::all_of(ours(nic), [](u64 word) { return word == 0; }));
    for (const Rid rid : {disk, sound, bridge_alias})
        EXPECT_TRUE(same(ours(rid), old(rid)));

    machine.events.clear();
    EXPECT_EQ(takeover_release_device(&machine.unit, &dev), 0);
    EXPECT_EQ(ops(), std::vector<Op>{});

    // A device-TLB is all that an entry of nobody's could have left behind.
    dev.on = VTD_DEVICE_ATS;
    EXPECT_EQ(takeover_release_device(&machine.unit, &dev), 0);
    EXPECT_EQ(ops(), (std::vector{Op::InvDevtlb, Op::InvDevtlb, Op::DeviceOff}));
}

// It is gone; what firmware needs is not, nor what a driver has mapped.
TEST_P(Core, LosesADevice) {
    machine.firmware = {{sound, 0x7f000000, 0x7f000fff}};
    EXPECT_FALSE(takeover_lose_rid(&machine.unit, nic.value));
    adopt_and_install();
    EXPECT_FALSE(takeover_lose_rid(&machine.unit, sound.value));
    EXPECT_FALSE(takeover_lose_rid(&machine.unit, Rid::of(7, 7, 0).value));
    EXPECT_TRUE(takeover_lose_rid(&machine.unit, nic.value));
    EXPECT_TRUE(blocked(nic));
    EXPECT_FALSE(takeover_lose_rid(&machine.unit, nic.value));
    EXPECT_TRUE(same(ours(sound), old(sound)));
}

// intel_iommu_takeover=off, or another unit translated and this one did not: it has no root table.
TEST_P(Core, ReleasesNothingFromAUnitThatWasNotTakenOver) {
    device dev{{nic.value}};

    machine.unit.root = nullptr;
    for (const auto state : {TAKEOVER_IDLE, TAKEOVER_FOUND}) {
        machine.unit.state = state;
        EXPECT_FALSE(takeover_holds_device(&machine.unit, &dev));
        EXPECT_EQ(takeover_release_device(&machine.unit, &dev), 0);
        EXPECT_EQ(takeover_own_table(&machine.unit, nic.value), 0);
        EXPECT_TRUE(machine.events.empty());
    }
}

// What the driver wrote since is the driver's, and so is what its device knows of it.
TEST_P(Core, LeavesADriversEntryAlone) {
    adopt_and_install();
    device dev{{nic.value}};
    ASSERT_EQ(takeover_release_device(&machine.unit, &dev), 1);
    u64* entry = takeover_context_entry(&machine.unit, nic.value);
    entry[1] = 0x702;
    entry[0] = 0x5001;

    machine.events.clear();
    EXPECT_FALSE(takeover_holds_device(&machine.unit, &dev));
    EXPECT_EQ(takeover_release_device(&machine.unit, &dev), 0);
    EXPECT_TRUE(machine.events.empty());
    EXPECT_EQ(entry[0], 0x5001U);
}

TEST_P(Core, ReleasesEveryRequesterIdOfADevice) {
    adopt_and_install();
    device dev{{sound.value, bridge_alias.value, Rid::of(7, 0, 0).value}};

    EXPECT_EQ(takeover_release_device(&machine.unit, &dev), 2);
    EXPECT_EQ(held(), (std::set{nic, disk}));
    // A device that shares the alias finds nothing left of it.
    device other{{bridge_alias.value}};
    EXPECT_FALSE(takeover_holds_device(&machine.unit, &other));
}

// The caller is told, and fills no entry: hardware would go by what it remembers. Who comes later
// keeps what it has.
TEST_P(Core, ReleasesNobodyFromWhatIsNotForgotten) {
    adopt_and_install();
    machine.forgets = false;
    device dev{{nic.value}};
    EXPECT_EQ(takeover_release_device(&machine.unit, &dev), -EIO);
    EXPECT_EQ(takeover_context_entry(&machine.unit, nic.value)[0], 0U);

    machine.events.clear();
    device other{{disk.value}};
    for (device* each : {&dev, &other})
        EXPECT_EQ(takeover_release_device(&machine.unit, each), -EIO);
    EXPECT_TRUE(machine.events.empty());
    EXPECT_TRUE(takeover_holds_rid(&machine.unit, disk.value));
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

// What is mapped to read an address is one range of the old RAM, and nothing of this kernel's.
TEST(OldMemory, HasWindows) {
    constexpr u64 gib = u64{1} << 30;
    Machine machine;
    const std::array ranges{std::pair{Phys{0}, u64{0x9f000}},
                            std::pair{Phys{0x100000}, gib - 0x100000},
                            std::pair{Phys{gib + 0x1000}, 3 * gib}};
    machine.write_elfcorehdr(header, ranges);
    ASSERT_EQ(takeover_oldmem_learn(header.value), 0);
    takeover_forbid_nothing();
    takeover_forbid(2 * gib + 0x5000, 2 * gib + 0x9000);
    takeover_forbid(0, 0x8000);

    const auto window = [](u64 at, size_t size = 4096) -> std::optional<std::pair<u64, u64>> {
        takeover_span span{};
        if (!takeover_oldmem_window(at, size, &span))
            return {};
        return std::pair{span.first, span.last + 1};
    };
    using Range = std::pair<u64, u64>;
    EXPECT_EQ(window(0x9000), (Range{0x8000, 0x9f000}));
    EXPECT_EQ(window(0x100000), (Range{0x100000, gib}));
    EXPECT_EQ(window(gib - 4096), (Range{0x100000, gib}));
    EXPECT_EQ(window(gib + 0x1000), (Range{gib + 0x1000, 2 * gib}));
    EXPECT_EQ(window(2 * gib), (Range{2 * gib, 2 * gib + 0x5000}));
    EXPECT_EQ(window(2 * gib + 0x9000), (Range{2 * gib + 0x9000, 3 * gib}));
    EXPECT_EQ(window(3 * gib + 0x2000), (Range{3 * gib, 4 * gib}));
    EXPECT_EQ(window(4 * gib, 1), (Range{4 * gib, 4 * gib + 0x1000}));
    // Of no range, of this kernel, and what ends in another window.
    for (const u64 at : {u64{0x9f000}, gib, u64{0x7000}, 2 * gib + 0x4800, 2 * gib + 0x5000,
                         2 * gib + 0x8800, 2 * gib - 8, 4 * gib + 0x800, 5 * gib})
        EXPECT_FALSE(window(at)) << std::hex << at;

    takeover_forbid_nothing();
    machine.old_page(header)[0] = 0;
    EXPECT_EQ(takeover_oldmem_learn(header.value), -EINVAL);
    EXPECT_FALSE(window(0x100000)) << "no map";
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
    const auto with = [&](const auto& change) {
        machine.write_elfcorehdr(header, ranges);
        change(*reinterpret_cast<elf64_hdr*>(machine.old_page(header).data()));
        const int ret = takeover_oldmem_learn(header.value);
        EXPECT_EQ(takeover_oldmem_plausible(0x100000, 4096), !ret);
        return ret;
    };
    EXPECT_EQ(with([](elf64_hdr&) {}), 0);
    EXPECT_EQ(with([](elf64_hdr& ehdr) { ehdr.e_ident[1] = 'e'; }), -EINVAL);
    EXPECT_EQ(with([](elf64_hdr& ehdr) { ehdr.e_ident[EI_CLASS] = ELFCLASS64 - 1; }), -EINVAL);
    EXPECT_EQ(with([](elf64_hdr& ehdr) { ehdr.e_type = ET_EXEC; }), -EINVAL);
    EXPECT_EQ(with([](elf64_hdr& ehdr) { ehdr.e_phentsize--; }), -EINVAL);
    EXPECT_EQ(with([](elf64_hdr& ehdr) { ehdr.e_phoff = (1 << 20) + 1; }), -EINVAL);
    EXPECT_EQ(with([](elf64_hdr& ehdr) { ehdr.e_phnum = 0; }), -EINVAL);
}

// The header of a dump begins with the processors' notes.
TEST(OldMemory, IsInProgramHeadersThatAreLoaded) {
    Machine machine;
    const std::array ranges{std::pair{Phys{0x100000}, u64{0x1000}},
                            std::pair{Phys{0x200000}, u64{0x1000}}};
    machine.write_elfcorehdr(header, ranges);
    auto* ehdr = reinterpret_cast<elf64_hdr*>(machine.old_page(header).data());
    reinterpret_cast<elf64_phdr*>(ehdr + 1)->p_type = PT_NOTE;
    EXPECT_EQ(takeover_oldmem_learn(header.value), 0);
    EXPECT_FALSE(takeover_oldmem_plausible(0x100000, 4096));
    EXPECT_TRUE(takeover_oldmem_plausible(0x200000, 4096));
    EXPECT_TRUE(machine.log.empty());
}

TEST(OldMemory, ComesInAnyOrder) {
    Machine machine;
    // The third is before the second, and joins it from below.
    const std::array ranges{
        std::pair{Phys{0x500000}, u64{0x1000}}, std::pair{Phys{0x300000}, u64{0x1000}},
        std::pair{Phys{0x2ff000}, u64{0x1000}}, std::pair{Phys{0x2ff000}, u64{0x800}}};
    machine.write_elfcorehdr(header, ranges);
    ASSERT_EQ(takeover_oldmem_learn(header.value), 0);
    EXPECT_TRUE(takeover_oldmem_plausible(0x500000, 4096));
    EXPECT_TRUE(takeover_oldmem_plausible(0x2ff800, 4096));
    EXPECT_FALSE(takeover_oldmem_plausible(0x301000, 4096));
    EXPECT_FALSE(takeover_oldmem_plausible(0x400000, 4096));
    EXPECT_FALSE(takeover_oldmem_plausible(0x2fe000, 4096));
}

// kexec says where the header is, not how large, and moves what the kdump kernel needs the place
// of.
TEST(OldMemory, OfTheDumpIsOutOfReach) {
    Machine machine;
    const std::vector ranges(100, std::pair{Phys{0x100000}, u64{0x1000}});
    machine.write_elfcorehdr(header, ranges);
    machine.old_page(header)[16] = 0x2345000; // p_offset of the second, and p_filesz
    machine.old_page(header)[19] = 0x2000;
    takeover_forbid_nothing();
    ASSERT_EQ(takeover_oldmem_learn(header.value), 0);
    EXPECT_TRUE(takeover_all_forbidden(header.value, 2 * 4096));
    EXPECT_TRUE(takeover_all_forbidden(0x2345000, 2 * 4096));
    EXPECT_EQ(takeover_forbidden_pages(), 4U);

    // What there is between it and memory of the kdump kernel's own belongs to it.
    takeover_forbid_nothing();
    takeover_forbid(header.value + 6 * 4096, header.value + 7 * 4096);
    ASSERT_EQ(takeover_oldmem_learn(header.value), 0);
    EXPECT_TRUE(takeover_all_forbidden(header.value, 7 * 4096));
    takeover_forbid_nothing();
    takeover_forbid(header.value + (64 << 20), header.value + (65 << 20));
    ASSERT_EQ(takeover_oldmem_learn(header.value), 0);
    EXPECT_FALSE(takeover_all_forbidden(header.value + 2 * 4096, 4096));
    machine.old_page(header)[18] = header.value + 4 * 4096; // p_paddr
    takeover_forbid(header.value + 6 * 4096, header.value + 7 * 4096);
    ASSERT_EQ(takeover_oldmem_learn(header.value), 0);
    EXPECT_FALSE(takeover_all_forbidden(header.value + 3 * 4096, 4096));
    takeover_forbid_nothing();
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

TEST(OldMemory, PassesOverARangeThatWrapsOrIsEmpty) {
    Machine machine;
    const std::array ranges{std::pair{Phys{0x1000}, ~u64{0}}, std::pair{Phys{0x90000}, u64{0}},
                            std::pair{Phys{0x100000}, u64{0x1000}}};
    machine.write_elfcorehdr(header, ranges);
    EXPECT_EQ(takeover_oldmem_learn(header.value), 0);
    EXPECT_TRUE(takeover_oldmem_plausible(0x100000, 4096));
    EXPECT_FALSE(takeover_oldmem_plausible(0x50000, 4096));
    EXPECT_NE(machine.log.at(0).find("2 memory ranges"), std::string::npos);
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

    // A unit answers as long as one of its registers says so.
    policy = {};
    takeover_judge_unit(&policy, ~0ULL, 0, on, 0);
    EXPECT_TRUE(policy.found);

    takeover_judge_unit(&policy, 2, 0, on, scalable);
    takeover_judge_unit(&policy, 2, 0, on, 0);
    EXPECT_TRUE(policy.scalable);
}

} // namespace
