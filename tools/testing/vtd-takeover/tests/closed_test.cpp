// SPDX-License-Identifier: GPL-2.0-only
//
// WARY and CLOSED: what the takeover's kernel code does with tables that a
// crashed kernel left damaged, and when its own means fail. Damage stays where it
// is, and what is not adopted is blocked, silently, with translation on.

#include "tests/dead_machine.h"

#include <functional>
#include <optional>
#include <string>

using namespace vtd;

namespace {

class Closed : public DeadMachine {
protected:
    // Every requester of the old tables is as it was, or blocked; nothing else
    // is let through.
    void expect_closed() {
        for (unsigned value = 0; value < TAKEOVER_RIDS; value++) {
            const Rid rid{static_cast<u16>(value)};
            const auto entry = ours(rid);
            if (all_rids.contains(rid)) {
                ASSERT_TRUE(entry.size()) << value;
                EXPECT_TRUE(blocked(rid) || same(entry, old(rid))) << value;
                EXPECT_TRUE(takeover_holds_rid(&machine.unit, rid.value)) << value;
            } else if (entry.size()) {
                EXPECT_FALSE(entry[0] & 1) << value;
            }
        }
        EXPECT_TRUE(machine.gsts & VTD_GSTS_TES);
    }

    void expect_all_blocked() {
        for (unsigned value = 0; value < TAKEOVER_RIDS; value++) {
            ASSERT_TRUE(blocked({static_cast<u16>(value)})) << value;
            ASSERT_TRUE(takeover_holds_rid(&machine.unit, static_cast<u16>(value)));
        }
        EXPECT_TRUE(machine.unit.blocked);
        EXPECT_EQ(takeover_install(&machine.unit), 0);
        EXPECT_EQ(machine.unit.state, TAKEOVER_INSTALLED);
        EXPECT_TRUE(logged("all its devices are blocked until their drivers map, RTADDR was"));
    }

    // As the driver does it: the release, which sees to an own table, then the entry.
    bool attach(Rid rid) {
        device dev{.rids = {rid.value}, .on = VTD_DEVICE_ATS};
        if (takeover_release_device(&machine.unit, &dev) < 0)
            return false;
        u64* entry = takeover_context_entry(&machine.unit, rid.value);
        entry[1] = 0x702;
        entry[0] = 0x5001;
        return true;
    }

    void point(Rid rid, u64 address) { old(rid)[0] = address | 1; }
};

// WARY: entries.

TEST_P(Closed, DropsAnEntryThatLeadsAstray) {
    const u64 end = old_root.value + ram_size;
    for (const u64 address : {u64{0}, u64{0xfed90000}, u64{0xfee00000}, end, end - 0x400000000ULL,
                              header.value & ~0xfffULL, u64{1} << 50, ~u64{0} & ~0xfffULL}) {
        start_again();
        point(nic, address);
        adopt();
        EXPECT_TRUE(blocked(nic)) << std::hex << address;
        EXPECT_EQ(held(), all_rids);
        for (const Rid rid : {disk, sound, bridge_alias})
            EXPECT_TRUE(same(ours(rid), old(rid)));
        EXPECT_EQ(machine.unit.nr_dropped, 1U);
        EXPECT_EQ(machine.unit.nr_adopted, 3U);
        EXPECT_EQ(lines("dmar0: 00:01.0: entry dropped: "), 1U);
        EXPECT_EQ(lines(": entry "), 1U);
        EXPECT_EQ(machine.reserved.contains(single), !scalable());
    }
}

TEST_P(Closed, AdoptsATableInTheLastPageOfRam) {
    point(nic, old_root.value + ram_size - 4096);
    adopt();
    EXPECT_TRUE(same(ours(nic), old(nic)));
    EXPECT_EQ(machine.unit.nr_dropped, 0U);
}

TEST_P(Closed, APasidDirectoryLiesInRamAsAWhole) {
    // PDTS 2: one page; 3: two.
    point(nic, (old_root.value + ram_size - 4096) | 2 << 9);
    point(disk, (old_root.value + ram_size - 4096) | 3 << 9);
    adopt();
    EXPECT_TRUE(same(ours(nic), old(nic)));
    EXPECT_EQ(blocked(disk), scalable());
}

TEST_P(Closed, AnEntryInPassThroughLeadsNowhere) {
    machine.unit.ecap |= 1 << 6; // PT
    old(nic)[0] = 0xfee00000 | 2 << 2 | 1;
    adopt();
    EXPECT_EQ(blocked(nic), scalable());
    EXPECT_EQ(same(ours(nic), old(nic)), !scalable());
}

TEST_P(Closed, LeavesToTheUnitWhatTheUnitFaults) {
    struct Flaw {
        unsigned word;
        u64 bits;
        const char* what;
        bool legacy, scalable;
    };
    const Flaw flaws[] = {
        {0, 1 << 5, "reserved bits", true, true},
        {0, 1 << 11, "reserved bits", true, false},
        {1, 1ULL << 24, "reserved bits", true, true},
        {1, 1ULL << 63, "reserved bits", true, true},
        {1, 1 << 7, "reserved bits", true, false},
        {0, 3 << 2, "translation type", true, false},
        {0, 2 << 2, "translation type", true, false}, // without ECAP.PT
        {1, 3, "address width", true, false},
        {2, 1, "reserved bits", false, true},
        {3, 1ULL << 40, "reserved bits", false, true},
        {0, 1 << 3, "a feature that it lacks", false, true}, // PASIDE
        {0, 1 << 4, "a feature that it lacks", false, true}, // PRE
    };
    for (const Flaw& flaw : flaws) {
        if (!(scalable() ? flaw.scalable : flaw.legacy))
            continue;
        start_again();
        write(entries[0]);
        std::ranges::fill(old(nic).subspan(2), 0);
        old(nic)[flaw.word] |= flaw.bits;
        adopt();
        EXPECT_TRUE(same(ours(nic), old(nic))) << flaw.what;
        EXPECT_EQ(held(), all_rids);
        EXPECT_EQ(machine.unit.nr_flawed, 1U);
        EXPECT_EQ(machine.unit.nr_dropped, 0U);
        EXPECT_EQ(lines(std::string("00:01.0: entry kept, the unit will fault it: ") + flaw.what),
                  1U);
        ASSERT_EQ(takeover_install(&machine.unit), 0);
        EXPECT_EQ(lines("1 of these entries will be faulted by the unit"), 1U);
    }
}

// What was said of an entry before it is not said of one that differs where it matters.
TEST_P(Closed, FindsAFlawBehindAGoodEntry) {
    for (const unsigned word : {0U, 1U, 2U, 3U}) {
        if (word >= words())
            continue;
        start_again();
        write(entries[2]);
        std::ranges::fill(old(sound).subspan(2), 0);
        old(sound)[word] |= 1 << (word == 1 ? 30 : 5);
        adopt();
        EXPECT_TRUE(same(ours(sound), old(sound))) << word;
        EXPECT_EQ(machine.unit.nr_flawed, 1U) << word;
        EXPECT_EQ(lines("03:04.0: entry kept, the unit will fault it: reserved bits"), 1U) << word;
    }
}

TEST_P(Closed, FaultsNothingInAHealthyMachine) {
    machine.unit.ecap = ~0ULL;
    if (scalable())
        old(nic)[0] |= 1 << 3 | 1 << 4; // PASIDE, PRE
    adopt_and_install();
    EXPECT_EQ(machine.unit.nr_flawed, 0U);
    EXPECT_EQ(lines("entry"), 0U);
    EXPECT_EQ(lines("entries will be faulted"), 0U);
}

TEST_P(Closed, DeviceTlbsWithoutSupportAreAFlaw) {
    machine.unit.ecap &= ~4ULL; // DT
    adopt();
    EXPECT_EQ(machine.unit.nr_flawed, 1U);
    EXPECT_EQ(lines("00:1f.2: entry kept"), 1U);
}

TEST_P(Closed, TellsOfAFewAndCountsTheRest) {
    for (u64& word : machine.old_page(table_of_bus_3))
        word = ~0ULL;
    adopt();
    const unsigned garbage = scalable() ? 128 : 256;
    EXPECT_EQ(machine.unit.nr_dropped, garbage);
    EXPECT_EQ(machine.log.size(), std::size_t{TAKEOVER_REPORTS_MAX});
    ASSERT_EQ(takeover_install(&machine.unit), 0);
    EXPECT_TRUE(logged("dropped " + std::to_string(garbage) + " entries and 0 tables"));
    EXPECT_TRUE(same(ours(nic), old(nic)));
}

TEST_P(Closed, KeepsBlockedWhatWasBlockedBefore) {
    const Rid quiet = Rid::of(3, 9, 0);
    old(quiet)[0] = 2;
    adopt();
    EXPECT_TRUE(blocked(quiet));
    EXPECT_TRUE(takeover_holds_rid(&machine.unit, quiet.value));
    EXPECT_EQ(machine.unit.nr_adopted, 4U);
}

// WARY: tables.

TEST_P(Closed, DropsATableThatIsNotInOldRam) {
    // Device registers: reading them would work, and must not happen.
    machine.old_page({0xfee00000})[2 * 4 * 8] = 1;
    machine.old_page(old_root)[2 * 3] = 0xfee00000 | 1;
    adopt();
    EXPECT_TRUE(blocked(sound));
    EXPECT_TRUE(blocked(Rid::of(3, 15, 7)));
    EXPECT_TRUE(same(ours(nic), old(nic)));
    EXPECT_EQ(machine.unit.nr_tables_dropped, 1U);
    EXPECT_EQ(lines("context table of 03:00.0 and on, at 0xfee00000"), 1U);
    expect_closed();
}

TEST_P(Closed, DropsOneHalfOfAScalableBus) {
    if (!scalable())
        return;
    machine.old_page(old_root)[1] = ~0ULL;
    adopt();
    EXPECT_TRUE(blocked(disk));
    EXPECT_TRUE(same(ours(nic), old(nic)));
    EXPECT_EQ(lines("context table of 00:10.0 and on"), 1U);

    start_again();
    machine.old_page(old_root)[1] = upper_of_bus_0.value | 1;
    machine.old_page(old_root)[0] = 0x1000000001;
    adopt();
    EXPECT_TRUE(blocked(nic));
    EXPECT_TRUE(same(ours(disk), old(disk)));
}

TEST_P(Closed, DropsATableThatCannotBeRead) {
    machine.poisoned.insert(table_of_bus_0);
    adopt();
    EXPECT_TRUE(blocked(nic));
    EXPECT_EQ(blocked(disk), !scalable());
    EXPECT_EQ(machine.unit.nr_tables_dropped, 1U);
    expect_closed();
}

TEST_P(Closed, IgnoresReservedBitsOfARootEntry) {
    machine.old_page(old_root)[2 * 3] |= 0xa50;
    machine.old_page(old_root)[1] |= scalable() ? 0x20 : 0x1000000000ULL;
    adopt();
    EXPECT_EQ(held(), all_rids);
    EXPECT_TRUE(same(ours(sound), old(sound)));
    EXPECT_EQ(lines("dmar0: bus 03: reserved bits 0xa50 of the root entry ignored"), 1U);
    EXPECT_EQ(lines("dmar0: bus 00: reserved bits "), 1U);
    for (const unsigned bus : {0U, 3U})
        EXPECT_EQ(machine.unit.root[2 * bus] & 0xfff, 1U);
    EXPECT_EQ(machine.unit.root[1] != 0, scalable());
}

TEST_P(Closed, SaysNothingOfARootEntryThatIsNotPresent) {
    machine.old_page(old_root)[2 * 7] = 0xa50;
    adopt();
    EXPECT_EQ(held(), all_rids);
    EXPECT_EQ(lines("bus 07"), 0U);
    EXPECT_EQ(machine.unit.root[2 * 7], 0U);
}

TEST_P(Closed, SurvivesARootFullOfGarbage) {
    for (u64& word : machine.old_page(old_root))
        word = 0xdeadbeefdeadbeef;
    adopt();
    for (const Rid rid : all_rids)
        EXPECT_TRUE(blocked(rid));
    EXPECT_EQ(machine.unit.nr_tables_dropped, scalable() ? 512U : 256U);
    EXPECT_EQ(machine.live_tables, 0U);
}

// Tables that point to one another, or to themselves, are only bytes.
TEST_P(Closed, SurvivesARootThatIsItsOwnTable) {
    for (unsigned bus = 0; bus < VTD_ROOT_ENTRIES; bus++)
        machine.old_page(old_root)[2 * bus] = old_root.value | 1;
    adopt();
    EXPECT_EQ(machine.live_tables, scalable() ? 257U : 256U);
}

// CLOSED: a whole unit.

// The work is in proportion to what one machine can have, not to the ways through its tables.
TEST_P(Closed, SurvivesDirectoriesThatRepeatThemselves) {
    if (!scalable())
        return;
    constexpr Phys directory{0x10040000};
    constexpr unsigned directory_pages = 32, largest = 7;
    const u64 entry = directory.value | u64{largest} << 9 | 1 << 3 | 1;
    Page& root = machine.old_page(old_root);
    for (u64& word : root)
        word = table_of_bus_0.value | 1;
    Page& contexts = machine.old_page(table_of_bus_0);
    for (std::size_t at = 0; at < contexts.size(); at += words())
        contexts[at] = entry;
    // Empty ones, and such as have one PASID table in every place.
    for (const u64 table : {u64{0}, table_of_bus_3.value | 1}) {
        start_again();
        machine.unit.ecap |= 1ULL << 40; // PASID
        for (unsigned n = 0; n < directory_pages; n++)
            for (u64& word : machine.old_page({directory.value + n * 0x1000}))
                word = table;
        adopt();
        EXPECT_LE(machine.reads, 1U + 512 + 8 * 65536);
        EXPECT_LE(machine.live_tables, 512U);
        EXPECT_EQ(machine.unit.nr_adopted + machine.unit.nr_dropped, 65536U);
        EXPECT_GT(machine.unit.nr_dropped, 60000U);
        EXPECT_TRUE(logged("too many PASIDs to read"));
    }
}

// Root, context, PASID and page table in one, each entry a pointer to itself.
TEST_P(Closed, SurvivesATableThatIsEveryTable) {
    constexpr u64 paside = 1 << 3;
    for (const u64 bits : {u64{1}, 1 | paside}) {
        start_again();
        for (u64& word : machine.old_page(old_root))
            word = old_root.value | bits;
        adopt();
        EXPECT_LE(machine.reads, 1U + 512 + 2 * 65536 + 8 * 65536);
        EXPECT_LE(machine.live_tables, 512U + TAKEOVER_TAG_PAGES + TAKEOVER_COPY_PAGES);
        EXPECT_EQ(machine.unit.nr_adopted + machine.unit.nr_dropped, 65536U);
        EXPECT_EQ(takeover_install(&machine.unit), 0);
    }
}

TEST_P(Closed, BlocksWhenItIsTold) {
    machine.poisoned.insert(old_root); // not even read
    adopt(TAKEOVER_BLOCK);
    EXPECT_EQ(machine.unit.root[0], machine.unit.root[2 * 255]);
    EXPECT_EQ(machine.unit.root[1], scalable() ? machine.unit.root[0] : 0); // reserved
    EXPECT_EQ(machine.live_tables, 0U);
    expect_all_blocked();
    EXPECT_TRUE(machine.reserved.empty());
}

TEST_P(Closed, BlocksAUnitWhoseRootIsElsewhere) {
    machine.rtaddr += ram_size;
    machine.old_page({old_root.value + ram_size}) = machine.old_page(old_root);
    adopt();
    EXPECT_EQ(lines("old tables not adopted (-14), RTADDR 0x11"), 1U);
    expect_all_blocked();
}

TEST_P(Closed, BlocksAUnitWhoseRootCannotBeRead) {
    machine.poisoned.insert(old_root);
    adopt();
    EXPECT_EQ(lines("old tables not adopted (-5)"), 1U);
    expect_all_blocked();
}

TEST_P(Closed, BlocksAModeThatNobodyCanAdopt) {
    const u64 other = scalable() ? 0 : 1;
    for (const u64 ttm : {u64{2}, u64{3}, other}) {
        start_again();
        machine.rtaddr = old_root.value | ttm << 10;
        adopt();
        EXPECT_EQ(lines("old tables not adopted (-95)"), 1U);
        expect_all_blocked();
    }
}

TEST_P(Closed, ADriverGetsATableOfItsOwn) {
    adopt(TAKEOVER_BLOCK);
    ASSERT_EQ(takeover_install(&machine.unit), 0);
    machine.events.clear();
    ASSERT_TRUE(attach(disk));

    EXPECT_FALSE(takeover_holds_rid(&machine.unit, disk.value));
    for (const Rid rid : {nic, sound, Rid::of(0, 31, 3), Rid::of(200, 31, 2)})
        EXPECT_TRUE(blocked(rid));
    EXPECT_EQ(machine.live_tables, 1U);
    std::vector wanted{Op::FlushLines, Op::FlushWriteBuffer, Op::FlushLines, Op::FlushWriteBuffer,
                       Op::InvContextAll};
    if (scalable())
        wanted.push_back(Op::InvPasidAll);
    wanted.push_back(Op::InvIotlbAll);
    const auto released = wanted.size();
    wanted.insert(wanted.end(), {Op::InvContext, Op::InvDevtlb, Op::InvDevtlb, Op::DeviceOff});
    EXPECT_EQ(ops(), wanted);
    EXPECT_EQ(machine.events[released].rid, disk);

    // The next device of the same bus finds it there.
    ASSERT_TRUE(attach(Rid::of(0, 31, 4)));
    EXPECT_EQ(machine.live_tables, 1U);
    // Given up, the entry is zero, and nobody's business any more.
    takeover_context_entry(&machine.unit, disk.value)[0] = 0;
    EXPECT_FALSE(takeover_holds_rid(&machine.unit, disk.value));
}

TEST_P(Closed, AnOwnTableHasCleanEntries) {
    adopt(TAKEOVER_BLOCK);
    ASSERT_EQ(takeover_own_table(&machine.unit, nic.value), 0);
    const u64* table = takeover_context_entry(&machine.unit, 0);
    for (unsigned i = 0; i < VTD_TABLE_WORDS; i++)
        EXPECT_EQ(table[i], i % words() ? 0U : 2U);
}

TEST_P(Closed, WithoutMemoryADeviceStaysBlocked) {
    adopt(TAKEOVER_BLOCK);
    ASSERT_EQ(takeover_install(&machine.unit), 0);
    machine.allocations = 0;
    EXPECT_FALSE(attach(disk));
    EXPECT_EQ(takeover_own_table(&machine.unit, disk.value), -ENOMEM);
    EXPECT_TRUE(blocked(disk));

    // The next mapping may find some.
    machine.allocations = 1;
    EXPECT_TRUE(attach(disk));
}

// A device behind a bridge that has two entries, one of them in a table that it has to get first.
TEST_P(Closed, WithoutMemoryForOneEntryARequesterIsReleasedLater) {
    machine.old_page(old_root)[VTD_RID_BUS(bridge_alias.value) * VTD_ROOT_WORDS] = 0xfed90001;
    adopt_and_install();
    ASSERT_TRUE(blocked(bridge_alias));
    device dev{{nic.value, bridge_alias.value}};

    machine.allocations = 0;
    EXPECT_EQ(takeover_release_device(&machine.unit, &dev), -ENOMEM);
    EXPECT_FALSE(takeover_holds_rid(&machine.unit, nic.value));
    EXPECT_TRUE(takeover_holds_device(&machine.unit, &dev));
    machine.allocations.reset();
    EXPECT_EQ(takeover_release_device(&machine.unit, &dev), 1);
}

TEST_P(Closed, AnAdoptedTableIsOwnAlready) {
    adopt_and_install();
    const auto tables = machine.live_tables;
    EXPECT_EQ(takeover_own_table(&machine.unit, nic.value), 0);
    EXPECT_EQ(takeover_own_table(&machine.unit, Rid::of(9, 0, 0).value), 0); // no table at all
    EXPECT_EQ(machine.live_tables, tables);
    EXPECT_TRUE(machine.events.empty());
}

// CLOSED: our own means.

TEST_P(Closed, WhicheverAllocationFails) {
    int allowed = 0;
    bool complete = false;
    for (; !complete; allowed++) {
        ASSERT_LT(allowed, 20);
        start_again();
        machine.allocations = allowed;
        adopt();
        complete = *machine.allocations >= 0;
        expect_closed();
        EXPECT_EQ(complete, std::ranges::none_of(all_rids, [&](Rid r) { return blocked(r); }));
        // Nothing but tables in use stays allocated.
        std::set<u64> tables;
        for (unsigned word = 0; word < VTD_TABLE_WORDS; word++)
            tables.insert(machine.unit.root[word] & ~1ULL);
        tables.erase(0);
        tables.erase(takeover_blocked_table() & ~1ULL);
        EXPECT_EQ(machine.live_tables, tables.size());
        EXPECT_EQ(takeover_install(&machine.unit), 0);
    }
    // The two scratch pages, a table for each half bus in use.
    EXPECT_EQ(allowed - 1, scalable() ? 5 : 4);
}

TEST_P(Closed, WhicheverCommandTimesOut) {
    for (const auto mode : {TAKEOVER_ADOPT, TAKEOVER_BLOCK}) {
        start_again();
        adopt(mode);
        const auto tables = machine.live_tables;
        machine.answers = false;
        EXPECT_EQ(takeover_install(&machine.unit), -ETIMEDOUT);
        EXPECT_EQ(machine.unit.state, TAKEOVER_DEAD);
        EXPECT_TRUE(logged("does not take the new root table"));
        expect_closed();

        // A table that the unit might yet read is neither freed nor changed.
        EXPECT_EQ(machine.live_tables, tables);
        for (const Rid rid : all_rids)
            EXPECT_EQ(takeover_own_table(&machine.unit, rid.value), -EIO);

        // No attach ends what the unit still goes by.
        device dev{{nic.value}};
        EXPECT_EQ(takeover_release_device(&machine.unit, &dev), -EIO);
        EXPECT_TRUE(takeover_holds_rid(&machine.unit, nic.value));
    }
}

TEST_P(Closed, InstallsAgainWithoutSayingSo) {
    adopt_and_install();
    machine.log.clear();
    EXPECT_EQ(takeover_install(&machine.unit), 0);
    EXPECT_TRUE(machine.log.empty());
}

// CLOSED: reserved memory.

class ReservedMemory : public Closed {
protected:
    static constexpr u64 first = 0x7fffff000;
    static constexpr u64 last = 0x800001fff; // on both sides of a 2 MiB and a 1 GiB border

    ReservedMemory() { machine.firmware = {{sound, first, last}}; }

    // Where the unit would take a page, by the tables that an entry points to.
    std::optional<u64> translate(Rid rid, u64 address) {
        const auto entry = ours(rid);
        if (!(entry[0] & 1))
            return {};
        u64 word = entry[0];
        unsigned aw = entry[1] & 7;
        if (scalable()) {
            const u64 pde = at(word)[0];
            EXPECT_EQ(pde & 3, 3U);
            const u64* pasid = at(pde);
            word = pasid[0];
            aw = word >> 2 & 7;
            EXPECT_EQ(word & 3, 3U);
            EXPECT_EQ(word >> 6 & 7, 2U);
        }
        for (unsigned level = aw + 2; level--;) {
            word = at(word)[address >> (12 + 9 * level) & 511];
            if ((word & 3) != 3)
                return {};
        }
        return (word & ~0xfffULL) | (address & 0xfff);
    }

    Did did(Rid rid) {
        const auto entry = ours(rid);
        return {static_cast<u16>(scalable() ? at(at(entry[0])[0])[1] : entry[1] >> 8)};
    }

    static const u64* at(u64 word) { return reinterpret_cast<const u64*>(word & ~0xfffULL); }

    void expect_confined(Rid rid) {
        for (u64 page = first; page <= last; page += 4096)
            EXPECT_EQ(translate(rid, page), page);
        for (const u64 outside : {u64{0}, first - 1, last + 1, u64{0x10040000}, u64{1} << 40})
            EXPECT_FALSE(translate(rid, outside)) << std::hex << outside;
        EXPECT_EQ(ours(rid)[0] & 3, 3U); // present, silent
        EXPECT_TRUE(takeover_holds_rid(&machine.unit, rid.value));
    }
};

TEST_P(ReservedMemory, IsAllThatABlockedDeviceReaches) {
    for (const unsigned aw : {1U, 2U, 3U}) {
        start_again();
        machine.unit.cap = 2 | 1ULL << (8 + aw);
        adopt_and_install(TAKEOVER_BLOCK);
        expect_confined(sound);
        EXPECT_TRUE(blocked(nic));
        EXPECT_TRUE(blocked(bridge_alias));
        EXPECT_EQ(lines("03:04.0: blocked but for its reserved memory 0x7fffff000-0x800001fff"),
                  1U);
    }
}

// A unit that does not snoop walks what was flushed, and nothing else.
TEST_P(ReservedMemory, IsFlushedWordByWord) {
    machine.firmware = {{sound, first, first}};
    adopt(TAKEOVER_BLOCK);
    ASSERT_EQ(takeover_install(&machine.unit), 0);
    std::set<u64> flushed;
    for (const Event& event : machine.events)
        if (event.op == Op::FlushLines)
            flushed.insert(event.value);
    const auto has = [&](const u64* word) {
        return flushed.contains(reinterpret_cast<uintptr_t>(word));
    };

    EXPECT_TRUE(has(ours(sound).data()));
    u64 word = ours(sound)[0];
    if (scalable()) {
        EXPECT_TRUE(has(at(word)));
        EXPECT_TRUE(has(at(at(word)[0])));
        word = at(at(word)[0])[0];
    }
    for (unsigned level = 4; level--;) {
        const u64* slot = at(word) + (first >> (12 + 9 * level) & 511);
        EXPECT_TRUE(has(slot)) << level;
        word = *slot;
    }
}

TEST_P(ReservedMemory, StaysMappedWhenAnEntryIsDropped) {
    point(sound, 0xfee00000);
    adopt_and_install();
    expect_confined(sound);
    EXPECT_TRUE(same(ours(nic), old(nic)));
    // Its id is nobody else's.
    EXPECT_NE(did(sound), shared);
    EXPECT_NE(did(sound), single);
    EXPECT_TRUE(machine.reserved.contains(did(sound)));
}

TEST_P(ReservedMemory, OfAnAdoptedDeviceIsInItsTable) {
    adopt();
    EXPECT_TRUE(same(ours(sound), old(sound)));
    EXPECT_EQ(lines("reserved memory"), 0U);
}

TEST_P(ReservedMemory, MayHaveSeveralParts) {
    machine.firmware = {
        {sound, first, first + 0xfff}, {disk, 0x3000, 0x3fff}, {sound, first + 0x1000, last}};
    adopt_and_install(TAKEOVER_BLOCK);
    expect_confined(sound);
    EXPECT_EQ(translate(disk, 0x3123), 0x3123);
    EXPECT_FALSE(translate(disk, first));
    EXPECT_NE(did(sound), did(disk));
}

TEST_P(ReservedMemory, EndsWithTheRelease) {
    adopt_and_install(TAKEOVER_BLOCK);
    machine.events.clear();
    device dev{{sound.value}};
    EXPECT_EQ(takeover_release_device(&machine.unit, &dev), 1);
    EXPECT_FALSE(takeover_holds_rid(&machine.unit, sound.value));
    EXPECT_TRUE(std::ranges::all_of(ours(sound), [](u64 word) { return word == 0; }));
    const auto done = ops();
    EXPECT_TRUE(std::ranges::count(done, scalable() ? Op::InvIotlbAll : Op::InvIotlbDomain));
    EXPECT_EQ(takeover_release_device(&machine.unit, &dev), 0);
}

TEST_P(ReservedMemory, IsBlockedTooWhenThereIsNoWay) {
    const std::function<void()> obstacles[] = {
        [&] { machine.unit.cap = 2; }, // no page tables at all
        [&] {
            machine.firmware = {{sound, 1ULL << 48, ~0ULL}};
        }, // beyond them
        [&] {
            for (u16 id = 0; id < 256; id++)
                machine.reserved.insert({id});
        },
    };
    for (const auto& obstacle : obstacles) {
        start_again();
        machine.unit.cap = 2 | 1 << 10;
        machine.firmware = {{sound, first, last}};
        obstacle();
        adopt_and_install(TAKEOVER_BLOCK);
        EXPECT_FALSE(translate(sound, first));
        EXPECT_FALSE(translate(sound, 0));
        EXPECT_EQ(lines("03:04.0: reserved memory"), 1U);
    }
    if (scalable()) {
        start_again();
        machine.unit.cap = 2 | 1 << 10;
        machine.firmware = {{sound, first, last}};
        machine.unit.ecap = 0; // first stage only
        adopt_and_install(TAKEOVER_BLOCK);
        EXPECT_TRUE(blocked(sound));
    }
}

TEST_P(ReservedMemory, WhicheverAllocationFails) {
    bool complete = false;
    for (int allowed = 0; !complete; allowed++) {
        ASSERT_LT(allowed, 20);
        start_again();
        machine.allocations = allowed;
        adopt_and_install(TAKEOVER_BLOCK);
        complete = *machine.allocations >= 0;
        EXPECT_EQ(lines("blocked but for its"), complete ? 1U : 0U);
        EXPECT_EQ(lines("is blocked as well (-12)"), complete ? 0U : 1U);
        // Of an entry that is not complete no page stays, but its bus's table and the tags.
        if (blocked(sound)) {
            EXPECT_LE(machine.live_tables, scalable() ? 2U : 1U) << allowed;
        }
        for (const u64 outside : {u64{0}, first - 1, last + 1})
            EXPECT_FALSE(translate(sound, outside));
        EXPECT_TRUE(takeover_holds_rid(&machine.unit, sound.value));
        EXPECT_TRUE(blocked(nic));
    }
}

TEST_P(ReservedMemory, HasABound) {
    machine.firmware = {{sound, 0, (u64{4} << 30) - 1}};
    adopt_and_install(TAKEOVER_BLOCK);
    EXPECT_LT(machine.live_tables, 530U);
    EXPECT_EQ(lines("is blocked as well (-12)"), 1U);
}

const auto name = [](const auto& info) {
    return info.param == Mode::Legacy ? "Legacy" : "Scalable";
};
INSTANTIATE_TEST_SUITE_P(Modes, Closed, testing::Values(Mode::Legacy, Mode::Scalable), name);
INSTANTIATE_TEST_SUITE_P(Modes, ReservedMemory, testing::Values(Mode::Legacy, Mode::Scalable),
                         name);

} // namespace
