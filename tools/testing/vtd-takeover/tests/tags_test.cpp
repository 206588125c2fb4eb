// SPDX-License-Identifier: GPL-2.0-only
//
// TAGS: which domain ids are kept, which are given back, and who has to go when there is none.

#include "tests/dead_machine.h"

namespace {

using namespace vtd;

constexpr u64 of_driver = TAKEOVER_DID_OF_DRIVER;
constexpr u64 pasid_enable = 1 << 3;

class Tags : public DeadMachine {
protected:
    static constexpr Rid others[] = {Rid::of(0, 2, 0), Rid::of(0, 3, 0), Rid::of(0, 4, 0)};

    Tags() { machine.unit.ecap |= 1ULL << 40; } // PASID

    // Words of memory of ours, as the unit would follow them.
    static u64* at(u64 word) { return reinterpret_cast<u64*>(word & ~u64{0xfff}); }

    // Old PASID structures of a device: a directory, and a table for some of its entries.
    Phys directory_of(Rid rid) { return {0x10400000 + number_of(rid) * 0x20000}; }
    Phys table_of(Rid rid, unsigned n) { return {0x10900000 + (number_of(rid) * 8 + n) * 4096}; }
    u64 number_of(Rid rid) { return numbers.try_emplace(rid, numbers.size()).first->second; }
    std::map<Rid, u64> numbers;
    u64* pasid(Rid rid, unsigned pasid) {
        const unsigned pde = pasid / 64;
        const Phys table = table_of(rid, pde % 8);
        machine.old_page({directory_of(rid).value + pde / 512 * 4096})[pde % 512] = table.value | 1;
        return &machine.old_page(table)[pasid % 64 * 8];
    }
    void give(Rid rid, unsigned number, u64 did, u64 pgtt = 2, u64 table = 0x10aaa000) {
        u64* const entry = pasid(rid, number);
        entry[0] = table | pgtt << 6 | 1;
        entry[1] = did | 0xff0000;
    }
    void use_pasids(Rid rid, u64 bits, u64 pdts = 0) {
        for (unsigned page = 0; page < 32; page++)
            machine.old_page({directory_of(rid).value + page * 4096});
        old(rid)[0] = directory_of(rid).value | pdts << 9 | bits | 1;
        old(rid)[1] = 0;
    }

    // An entry of another device, in the mode of the unit.
    void enter(Rid rid, u64 did) {
        write({rid, {static_cast<u16>(did)}, false});
        if (scalable()) {
            use_pasids(rid, 0);
            give(rid, 0, did);
        }
    }

    u64 id_of(Rid rid, unsigned number = 0) {
        if (!scalable())
            return ours(rid)[1] >> 8 & 0xffff;
        const u64* directory = at(ours(rid)[0]);
        return at(directory[number / 64])[number % 64 * 8 + 1] & 0xffff;
    }

    bool is_ours(const u64* page) const {
        return std::ranges::any_of(machine.tables(),
                                   [=](const auto& table) { return table.data() == page; });
    }

    void leave_alone(std::initializer_list<Rid> rids) {
        for (const Rid rid : all_rids)
            if (std::ranges::find(rids, rid) == rids.end())
                std::ranges::fill(old(rid), 0);
    }

    void release(Rid rid) {
        device dev{{rid.value}};
        takeover_release_device(&machine.unit, &dev);
    }
};

// What the driver has in both modes.

TEST_P(Tags, OfTheDriverAreNeitherTakenNorGivenBack) {
    leave_alone({});
    for (const unsigned i : {0U, 1U}) {
        enter(others[i], i);
        if (!scalable())
            old(others[i])[0] |= 2 << 2; // pass-through
        else
            pasid(others[i], 0)[0] = 4 << 6 | 1;
    }
    adopt_and_install();
    EXPECT_EQ(machine.reserved, std::set<Did>{});
    EXPECT_TRUE(same(ours(others[1]), old(others[1])));
    release(others[0]);
    release(others[1]);
    machine.unit.cap = 0; // 16
    for (unsigned did = 2; did < 16; did++)
        EXPECT_EQ(machine.new_did(), static_cast<int>(did));
    EXPECT_FALSE(takeover_spare_did(&machine.unit));
    EXPECT_EQ(machine.reserved.size(), 14U);
}

// Legacy mode.

class LegacyTags : public Tags {};

TEST_P(LegacyTags, OfTheDriverAreReplaced) {
    for (const unsigned i : {0U, 1U, 2U})
        enter(others[i], of_driver);
    // The first two have one table.
    old(others[1])[0] = old(others[0])[0];
    adopt();
    EXPECT_EQ(id_of(others[0]), 2U);
    EXPECT_EQ(id_of(others[1]), 2U);
    EXPECT_EQ(id_of(others[2]), 3U);
    for (const Rid rid : others) {
        EXPECT_EQ(ours(rid)[0], old(rid)[0]);
        EXPECT_EQ(ours(rid)[1] & ~u64{0xffff00}, old(rid)[1] & ~u64{0xffff00});
        EXPECT_TRUE(std::ranges::any_of(machine.events, [&](const Event& event) {
            return event.op == Op::FlushLines &&
                   event.value == reinterpret_cast<uintptr_t>(ours(rid).data()) && event.size == 16;
        }));
    }
    EXPECT_EQ(machine.reserved, (std::set{Did{2}, Did{3}, shared, single}));
    EXPECT_TRUE(same(ours(nic), old(nic)));
}

// The id is given to somebody only when all old ones are known.
TEST_P(LegacyTags, ThatReplaceAreNobodyElses) {
    enter(others[0], of_driver);
    enter(others[2], 2); // comes later
    adopt();
    EXPECT_EQ(id_of(others[0]), 3U);
    EXPECT_EQ(id_of(others[2]), 2U);
}

TEST_P(LegacyTags, ThatCannotBeReplacedBlock) {
    machine.unit.cap &= ~u64{7};
    for (unsigned i = 2; i < 16; i++)
        enter(Rid::of(0, 8 + i, 0), i);
    enter(others[0], of_driver);
    adopt();
    EXPECT_TRUE(blocked(others[0]));
    EXPECT_EQ(ours(others[0])[1], 0U);
    EXPECT_EQ(machine.unit.nr_dropped, 1U);
    EXPECT_EQ(machine.unit.nr_adopted, 14U + 4);
    EXPECT_EQ(lines("dmar0: 00:02.0: entry dropped: its domain id is the driver's, and it gets no "
                    "other (-28)"),
              1U);
    EXPECT_FALSE(takeover_holds_rid(&machine.unit, others[1].value));
}

TEST_P(LegacyTags, ThatCannotBeReplacedAreToldOfAFewTimes) {
    machine.no_did = -ENOSPC;
    for (unsigned n = 0; n < TAKEOVER_REPORTS_MAX + 2; n++)
        enter(Rid::of(0, 2 + n, 0), of_driver);
    adopt();
    EXPECT_EQ(machine.unit.nr_dropped, TAKEOVER_REPORTS_MAX + 2U);
    EXPECT_EQ(lines("it gets no other (-28)"), std::size_t{TAKEOVER_REPORTS_MAX});
}

TEST_P(LegacyTags, AreFreeWhenNobodyUsesThem) {
    machine.unit.cap &= ~u64{7}; // 16
    adopt_and_install();
    for (unsigned n = 0; n < 12; n++)
        EXPECT_GE(machine.new_did(), 2);
    EXPECT_EQ(machine.new_did(), -ENOSPC);
    const auto before = machine.reserved.size();

    release(nic); // the disk has the same id
    release(sound);
    release(bridge_alias);
    EXPECT_EQ(machine.reserved.size(), before); // not before somebody asks
    machine.events.clear();
    EXPECT_TRUE(takeover_spare_did(&machine.unit));
    EXPECT_TRUE(machine.events.empty());
    EXPECT_EQ(machine.new_did(), single.value);
    EXPECT_EQ(held(), std::set{disk});
}

// Who got his id late has to go first.
TEST_P(Tags, AreTakenFromTheHighest) {
    machine.unit.cap &= ~u64{7};
    leave_alone({});
    enter(others[0], 4);
    enter(others[1], 11);
    enter(others[2], 7);
    enter(sound, 12); // shared
    enter(bridge_alias, 12);
    adopt_and_install();
    while (machine.new_did() >= 0)
        ;
    for (const unsigned victim : {1U, 2U, 0U}) {
        EXPECT_FALSE(blocked(others[victim]));
        EXPECT_TRUE(takeover_spare_did(&machine.unit));
        EXPECT_TRUE(blocked(others[victim]));
        EXPECT_EQ(machine.new_did(), (std::array{4, 11, 7}[victim]));
        EXPECT_FALSE(blocked(sound) || blocked(bridge_alias));
    }
    EXPECT_TRUE(takeover_spare_did(&machine.unit));
    EXPECT_TRUE(blocked(sound) && blocked(bridge_alias));
    EXPECT_EQ(machine.new_did(), 12);
    EXPECT_FALSE(takeover_spare_did(&machine.unit));
}

TEST_P(LegacyTags, AreTakenFromAllThatHaveThem) {
    machine.unit.cap &= ~u64{7};
    adopt_and_install();
    while (machine.new_did() >= 0)
        ;
    EXPECT_TRUE(takeover_spare_did(&machine.unit));
    for (const Rid rid : {sound, bridge_alias}) {
        EXPECT_TRUE(blocked(rid));
        EXPECT_EQ(ours(rid)[1], 0U);
        EXPECT_TRUE(takeover_holds_rid(&machine.unit, rid.value));
    }
    EXPECT_TRUE(same(ours(nic), old(nic)));
    EXPECT_TRUE(same(ours(disk), old(disk)));
    EXPECT_EQ(lines("dmar0: 03:04.0: blocked, a new domain needs its domain id"), 1U);
    EXPECT_EQ(lines("blocked, a new domain"), 2U);
    EXPECT_EQ(ops(), (std::vector{Op::FlushLines, Op::FlushWriteBuffer, Op::InvContext,
                                  Op::InvIotlbDomain, Op::FlushLines, Op::FlushWriteBuffer,
                                  Op::InvContext, Op::InvIotlbDomain}));
    EXPECT_EQ(machine.new_did(), single.value);

    EXPECT_TRUE(takeover_spare_did(&machine.unit)); // and so on
    EXPECT_EQ(machine.new_did(), shared.value);
    EXPECT_FALSE(takeover_spare_did(&machine.unit));
    EXPECT_TRUE(blocked(nic) && blocked(disk));
}

TEST_P(LegacyTags, ThatTheUnitDoesNotHaveAreNobodys) {
    machine.unit.cap &= ~u64{7};
    leave_alone({});
    enter(others[0], 0x1234);
    enter(others[1], 0);
    adopt_and_install();
    EXPECT_EQ(machine.reserved, std::set<Did>{});
    while (machine.new_did() >= 0)
        ;
    EXPECT_FALSE(takeover_spare_did(&machine.unit));
    EXPECT_TRUE(same(ours(others[0]), old(others[0])));
    EXPECT_TRUE(same(ours(others[1]), old(others[1])));
}

// A late id of a device with reserved memory, and one that it shares.
TEST_P(LegacyTags, OfFirmwareAreNotTaken) {
    machine.unit.cap &= ~u64{7};
    machine.firmware = {{sound, 0x1000, 0x1fff}, {sound, 0x3000, 0x3fff}};
    adopt_and_install();
    EXPECT_EQ(machine.unit.nr_firmware, 1U);
    while (machine.new_did() >= 0)
        ;
    EXPECT_TRUE(takeover_spare_did(&machine.unit));
    EXPECT_TRUE(same(ours(sound), old(sound)));
    EXPECT_TRUE(blocked(bridge_alias)); // which did not help
    EXPECT_TRUE(blocked(nic) && blocked(disk));
    EXPECT_EQ(machine.new_did(), shared.value);
    EXPECT_FALSE(takeover_spare_did(&machine.unit));
}

TEST_P(LegacyTags, OfFirmwareAreForgottenBeyondAFew) {
    for (unsigned n = 0; n <= TAKEOVER_FIRMWARE_MAX; n++)
        machine.firmware.push_back({Rid::of(9, n % 32, n / 32), 0x1000, 0x1fff});
    adopt_and_install();
    EXPECT_EQ(machine.unit.nr_firmware, unsigned{TAKEOVER_FIRMWARE_MAX});
}

// Both modes.

TEST_P(Tags, ComeFromAUnitThatTookItsTable) {
    adopt();
    EXPECT_FALSE(takeover_spare_did(&machine.unit));
    machine.answers = false;
    EXPECT_NE(takeover_install(&machine.unit), 0);
    EXPECT_FALSE(takeover_spare_did(&machine.unit));
}

TEST_P(Tags, AreNotTakenForWantOfMemory) {
    adopt_and_install();
    machine.no_did = -ENOMEM;
    EXPECT_FALSE(takeover_spare_did(&machine.unit));
    EXPECT_EQ(held(), all_rids);
    EXPECT_FALSE(blocked(sound));
}

TEST_P(Tags, AreNoReasonToLookWhereThereIsOne) {
    adopt_and_install();
    const auto before = machine.reserved;
    EXPECT_TRUE(takeover_spare_did(&machine.unit));
    EXPECT_EQ(machine.reserved, before);
    EXPECT_EQ(held(), all_rids);
}

TEST_P(Tags, OfReservedMemoryAreFreeLater) {
    leave_alone({});
    machine.unit.cap &= ~u64{7};
    machine.firmware = {{sound, 0x1000, 0x1fff}};
    adopt_and_install(TAKEOVER_BLOCK);
    EXPECT_EQ(machine.reserved, std::set{Did{2}});
    while (machine.new_did() >= 0)
        ;
    EXPECT_FALSE(takeover_spare_did(&machine.unit));
    release(sound);
    EXPECT_TRUE(takeover_spare_did(&machine.unit));
    EXPECT_EQ(machine.new_did(), 2);
}

// Scalable mode.

class ScalableTags : public Tags {
protected:
    ScalableTags() {
        leave_alone({});
        use_pasids(nic, pasid_enable);
    }
};

// There is no page for a context table. Its ids stay in use until hardware has ours; those of a
// directory that is in no RAM nobody can know.
TEST_P(ScalableTags, OfLostTablesAreKept) {
    give(nic, 0, 0x20);
    old(Rid::of(0, 2, 0))[0] = 0xfee00000 | 1;
    machine.allocations = 2;
    adopt();
    EXPECT_EQ(machine.unit.nr_tables_dropped, 1U);
    machine.allocations.reset();
    EXPECT_TRUE(machine.unit.dids[0x20 / 64] >> 0x20 % 64 & 1);
}

TEST_P(ScalableTags, OfTheDriverAreReplacedInACopy) {
    give(nic, 0, 0x20);
    give(nic, 1, of_driver, 1); // first stage
    give(nic, 2, of_driver, 4); // pass-through
    give(nic, 3, of_driver, 2);
    give(nic, 4, of_driver, 3, 0x10bbb000);
    give(nic, 130, of_driver, 2); // the same table
    give(nic, 200, 0x21);
    pasid(nic, 5)[1] = of_driver; // not present
    adopt();

    const u64* const directory = at(ours(nic)[0]);
    ASSERT_TRUE(is_ours(directory));
    EXPECT_EQ(ours(nic)[0] & 0xfff, 2ULL << 9 | pasid_enable | 1);
    EXPECT_TRUE(is_ours(at(directory[0])));
    EXPECT_EQ(directory[0] & 0xfff, 1U);
    EXPECT_TRUE(is_ours(at(directory[2])));
    EXPECT_EQ(directory[3], table_of(nic, 3).value | 1);
    EXPECT_EQ(directory[1], 0U);

    EXPECT_EQ(id_of(nic, 0), 0x20U);
    EXPECT_EQ(id_of(nic, 1), of_driver);
    EXPECT_EQ(id_of(nic, 2), of_driver);
    EXPECT_EQ(id_of(nic, 3), 2U);
    EXPECT_EQ(id_of(nic, 4), 3U);
    EXPECT_EQ(id_of(nic, 5), of_driver);
    EXPECT_EQ(id_of(nic, 130), 3U + 1); // another one in between
    for (const unsigned number : {0U, 3U, 130U})
        for (const std::size_t word : {0U, 1U, 2U})
            EXPECT_EQ(at(directory[number / 64])[number % 64 * 8 + word] & ~u64{0xffff},
                      pasid(nic, number)[word] & ~u64{0xffff});
    EXPECT_EQ(machine.reserved, (std::set<Did>{{2}, {3}, {4}, {0x20}, {0x21}}));
    EXPECT_EQ(machine.unit.nr_copies, 3U);

    // Each is flushed whole, and the entry that leads there.
    const auto flushed = [&](const u64* what, std::size_t size) {
        return std::ranges::any_of(machine.events, [&](const Event& event) {
            return event.op == Op::FlushLines && event.size == size &&
                   event.value == reinterpret_cast<uintptr_t>(what);
        });
    };
    EXPECT_TRUE(flushed(directory, 4096));
    EXPECT_TRUE(flushed(at(directory[0]), 4096));
    EXPECT_TRUE(flushed(at(directory[2]), 4096));
    EXPECT_TRUE(flushed(ours(nic).data(), 32));
}

// Copies are of what all units share; however many a device asks for, half of it stays.
TEST_P(ScalableTags, InCopiesTakeHalfOfWhatIsLeft) {
    for (unsigned i = 0; i < 5; i++)
        give(nic, i * VTD_PASIDS_PER_TABLE, of_driver, 2);
    machine.budget(6); // a directory and its tables
    adopt();
    EXPECT_EQ(machine.unit.nr_copies, 6U);
    EXPECT_EQ(machine.pool.left, 6U);

    machine.next_unit();
    adopt();
    EXPECT_EQ(machine.unit.nr_copies, 0U);
    EXPECT_EQ(machine.pool.left, 6U);
    EXPECT_EQ(ours(nic)[0] & 1, 0U);
}

TEST_P(ScalableTags, OfRidPasidAreReplacedAlone) {
    machine.unit.ecap |= 1ULL << 49; // RPS
    use_pasids(nic, 0);
    old(nic)[1] = 70;
    give(nic, 0, of_driver);
    give(nic, 70, of_driver);
    adopt();
    const u64* const directory = at(ours(nic)[0]);
    EXPECT_EQ(directory[0], table_of(nic, 0).value | 1);
    EXPECT_TRUE(is_ours(at(directory[1])));
    EXPECT_EQ(id_of(nic, 70), 2U);
}

// WARY: what else a directory holds that nobody uses takes no time, and no copy has to hold it.
TEST_P(ScalableTags, OfRidPasidAreAllThatIsRead) {
    machine.unit.ecap |= 1ULL << 49; // RPS
    for (const unsigned rid_pasid : {0U, 70U, 64 * 513U}) {
        start_again();
        use_pasids(nic, 0, 7);
        old(nic)[1] = rid_pasid;
        for (unsigned pde = 0; pde < 32 * 512; pde++)
            machine.old_page({directory_of(nic).value + pde / 512 * 4096})[pde % 512] =
                table_of(nic, 7).value | 1;
        give(nic, rid_pasid, of_driver);
        unsigned reads = 0;
        machine.on_read = [&](Phys, std::size_t) { reads++; };
        adopt();
        machine.on_read = [](Phys, std::size_t) {};
        EXPECT_LT(reads, 100U) << rid_pasid;
        if (rid_pasid < 64 * 512) {
            ASSERT_FALSE(blocked(nic)) << rid_pasid;
            EXPECT_EQ(id_of(nic, rid_pasid), 2U);
        } else {
            EXPECT_TRUE(blocked(nic));
            EXPECT_EQ(lines("it gets no other (-7)"), 1U);
        }
    }
}

// What has nothing of the driver's stays where it is.
TEST_P(ScalableTags, OfOthersStay) {
    give(nic, 0, of_driver, 4);
    use_pasids(disk, pasid_enable);
    give(disk, 0, 7);
    adopt();
    EXPECT_TRUE(same(ours(nic), old(nic)));
    EXPECT_TRUE(same(ours(disk), old(disk)));
    EXPECT_EQ(machine.unit.nr_copies, 0U);
}

TEST_P(ScalableTags, AreReplacedInALargeDirectoryIfItIsEmpty) {
    use_pasids(nic, pasid_enable, 7);
    give(nic, 64 * 511, of_driver);
    adopt();
    EXPECT_EQ(id_of(nic, 64 * 511), 2U);
    EXPECT_EQ(ours(nic)[0] >> 9 & 7, 2U);

    start_again();
    give(nic, 64 * 512, 0x20);
    adopt();
    EXPECT_TRUE(blocked(nic));
    EXPECT_EQ(lines("it gets no other (-7)"), 1U);
    EXPECT_EQ(machine.unit.nr_copies, 0U);

    // Nobody needs a copy: it does not matter.
    start_again();
    give(nic, 64 * 511, of_driver, 4);
    use_pasids(disk, pasid_enable);
    give(disk, 0, of_driver);
    adopt();
    EXPECT_TRUE(same(ours(nic), old(nic)));
    EXPECT_EQ(id_of(disk), 2U);

    start_again();
    give(nic, 64 * 513, of_driver);
    adopt();
    EXPECT_TRUE(blocked(nic));
    EXPECT_EQ(lines("it gets no other (-7)"), 1U);
    EXPECT_EQ(machine.unit.nr_copies, 2U); // the disk's
}

// One page of it at a time.
TEST_P(ScalableTags, BeyondThePageNeedMemoryToBeSeen) {
    use_pasids(nic, pasid_enable, 7);
    give(nic, 64 * 513, of_driver);
    for (int n = 3; n < 9; n++) {
        start_again();
        machine.allocations = n;
        adopt();
        EXPECT_TRUE(held().empty() || blocked(nic)) << n;
        EXPECT_EQ(machine.unit.nr_copies, 0U) << n;
    }
}

TEST_P(ScalableTags, BeyondWhatCanBeReadAreAsBefore) {
    give(nic, 0, of_driver);
    give(nic, 64, 0x20);
    give(nic, 128, 0x21);
    machine.poisoned.insert(table_of(nic, 1));
    machine.old_page(directory_of(nic))[2] = 0xfee00000 | 1;
    adopt();
    const u64* const directory = at(ours(nic)[0]);
    EXPECT_EQ(id_of(nic), 2U);
    EXPECT_EQ(directory[1], table_of(nic, 1).value | 1);
    EXPECT_EQ(directory[2], 0xfee00000U | 1);
}

// Poison may come between two looks; a part of a directory that is not read has no ids.
TEST_P(ScalableTags, OfADirectoryThatCannotBeReadBlock) {
    for (const u64 pdts : {0U, 7U}) {
        start_again();
        use_pasids(nic, pasid_enable, pdts);
        give(nic, 0, of_driver);
        const Phys bad{directory_of(nic).value + (pdts ? 31 * 4096 : 0)};
        std::size_t looks = 0;
        machine.on_read = [&](Phys at, std::size_t size) {
            if (at.value <= bad.value && bad.value < at.value + size && ++looks == (pdts ? 9 : 2))
                machine.poisoned.insert(bad);
        };
        if (pdts)
            machine.on_read = [&](Phys at, std::size_t) {
                if (at == directory_of(nic) && ++looks == 2)
                    machine.poisoned.insert(bad);
            };
        adopt();
        EXPECT_TRUE(blocked(nic)) << pdts;
        EXPECT_EQ(lines("it gets no other (-5)"), 1U) << pdts;
        machine.on_read = [](Phys, std::size_t) {};
        machine.poisoned.clear();
    }
}

// Of what is not read for want of memory the ids are not known, and the unit reads it.
TEST_P(ScalableTags, ThatAreNotKnownBlock) {
    use_pasids(disk, 0);
    give(disk, 0, 0x20);
    give(nic, 0, 0x21);
    for (const Phys page : {directory_of(disk), table_of(disk, 0)}) {
        for (const u64 bits : {u64{0}, pasid_enable}) {
            start_again();
            use_pasids(disk, bits);
            machine.unmappable = {page};
            adopt();
            EXPECT_TRUE(blocked(disk)) << bits;
            EXPECT_EQ(machine.reserved, std::set{Did{0x21}});
            machine.unmappable.clear();
            machine.poisoned = {page};
            start_again();
            adopt();
            EXPECT_TRUE(same(ours(disk), old(disk))) << bits;
            machine.poisoned.clear();
        }
    }
}

// Nor may there be the memory a second time.
TEST_P(ScalableTags, OfATableThatIsReadNoMoreBlock) {
    give(nic, 0, of_driver);
    std::size_t looks = 0;
    machine.on_read = [&](Phys at, std::size_t) {
        if (at == table_of(nic, 0) && ++looks == 2)
            machine.unmappable.insert(at);
    };
    adopt();
    EXPECT_TRUE(blocked(nic));
    EXPECT_EQ(machine.unit.nr_copies, 0U);
}

TEST_P(ScalableTags, WithoutMemoryForACopyBlock) {
    give(nic, 0, of_driver);
    give(nic, 130, of_driver);
    for (int allocations = 0;; allocations++) {
        ASSERT_LT(allocations, 20);
        start_again();
        machine.allocations = allocations;
        adopt();
        if (takeover_holds_rid(&machine.unit, nic.value) && !blocked(nic))
            break;
        EXPECT_EQ(machine.unit.nr_copies, 0U) << allocations;
        EXPECT_EQ(machine.unit.nr_adopted, 0U) << allocations;
    }
    EXPECT_EQ(machine.unit.nr_copies, 3U);
}

TEST_P(ScalableTags, WithoutAnIdForACopyBlock) {
    machine.unit.cap &= ~u64{7};
    for (unsigned i = 2; i < 15; i++)
        give(nic, i, i);
    give(nic, 0, of_driver);
    give(nic, 130, of_driver, 2, 0x10bbb000); // another table: there is one id
    adopt();
    EXPECT_TRUE(blocked(nic));
    EXPECT_EQ(machine.unit.nr_copies, 0U);
    EXPECT_EQ(lines("it gets no other (-28)"), 1U);
}

// WARY: copies are the kdump kernel's memory.
TEST_P(ScalableTags, AreNotReplacedWithoutEnd) {
    unsigned devices = 0;
    for (const Rid rid : {nic, disk, sound, bridge_alias, others[0]}) {
        use_pasids(rid, pasid_enable, 2);
        give(rid, 0, of_driver);
        for (unsigned i = 1; i < 512; i++)
            machine.old_page(directory_of(rid))[i] = table_of(rid, 0).value | 1;
        devices++;
    }
    adopt();
    EXPECT_EQ(machine.unit.nr_dropped, devices - 1);
    EXPECT_EQ(machine.unit.nr_copies, 513U);
    EXPECT_EQ(lines("it gets no other (-12)"), devices - 1);
}

TEST_P(ScalableTags, AreFreeWhenNobodyUsesThem) {
    machine.unit.cap &= ~u64{7};
    give(nic, 0, 5);
    give(nic, 9, 6);
    use_pasids(disk, pasid_enable);
    give(disk, 0, 6);
    give(disk, 9, 7);
    adopt_and_install();
    EXPECT_EQ(machine.unit.nr_tags, 4U);
    while (machine.new_did() >= 0)
        ;
    release(nic);
    EXPECT_TRUE(takeover_spare_did(&machine.unit));
    EXPECT_EQ(machine.new_did(), 5);
    EXPECT_EQ(machine.new_did(), -ENOSPC);
    release(disk);
    EXPECT_TRUE(takeover_spare_did(&machine.unit));
    EXPECT_EQ(machine.new_did(), 6);
    EXPECT_EQ(machine.new_did(), 7);
    EXPECT_FALSE(takeover_spare_did(&machine.unit));
}

TEST_P(ScalableTags, AreTakenFromTheGreediest) {
    machine.unit.cap &= ~u64{7};
    give(nic, 0, 5);
    use_pasids(disk, pasid_enable);
    for (unsigned n = 0; n < 3; n++)
        give(disk, n, 6 + n);
    use_pasids(sound, pasid_enable);
    for (unsigned n = 0; n < 2; n++)
        give(sound, n, 9 + n);
    adopt_and_install();
    while (machine.new_did() >= 0)
        ;
    EXPECT_TRUE(takeover_spare_did(&machine.unit));
    EXPECT_TRUE(blocked(disk));
    EXPECT_EQ(ours(disk)[1] | ours(disk)[2] | ours(disk)[3], 0U);
    EXPECT_EQ(ops(), (std::vector{Op::FlushLines, Op::FlushWriteBuffer, Op::InvContext,
                                  Op::InvPasidAll, Op::InvIotlbAll}));
    EXPECT_EQ(held(), (std::set{nic, disk, sound}));
    for (const int did : {6, 7, 8})
        EXPECT_EQ(machine.new_did(), did);
    EXPECT_TRUE(takeover_spare_did(&machine.unit));
    EXPECT_TRUE(blocked(sound) && !blocked(nic));
}

// WARY: a device that has a domain for each of its PASIDs takes them from nobody.
TEST_P(ScalableTags, HaveABoundForADevice) {
    machine.unit.cap |= 7; // 65536
    for (const unsigned number : {1024U, 1025U}) {
        start_again();
        use_pasids(nic, pasid_enable, 2);
        for (unsigned pde = 0; pde < 20; pde++) {
            const Phys table{0x10c00000 + pde * 4096};
            machine.old_page(directory_of(nic))[pde] = table.value | 1;
            for (unsigned i = 0; i < 64; i++) {
                const unsigned n = pde * 64 + i;
                machine.old_page(table)[i * 8] = n < number;
                machine.old_page(table)[i * 8 + 1] = 100 + n;
            }
        }
        use_pasids(sound, pasid_enable);
        give(sound, 0, 9);
        adopt();
        EXPECT_EQ(blocked(nic), number > 1024);
        EXPECT_EQ(lines("00:01.0: entry dropped: too many PASIDs to read (-7)"), number - 1024);
        EXPECT_TRUE(same(ours(sound), old(sound)));
        EXPECT_EQ(machine.unit.nr_tags, number > 1024 ? 1U : 1025U);
    }
}

// A page of them is full when the second device gets the new id of the first, and there is no
// further page.
TEST_P(ScalableTags, AreRememberedOrTheirDeviceBlocks) {
    machine.unit.cap |= 7;
    use_pasids(disk, pasid_enable);
    for (unsigned pde = 0; pde < 1021 / 64 + 1; pde++) {
        const Phys table{0x10c00000 + pde * 4096};
        machine.old_page(directory_of(nic))[8 + pde] = table.value | 1;
        for (unsigned i = 0; i < 64 && pde * 64 + i < 1021; i++) {
            machine.old_page(table)[i * 8] = 1;
            machine.old_page(table)[i * 8 + 1] = 100 + pde * 64 + i;
        }
    }
    give(nic, 0, of_driver);
    give(disk, 0, of_driver);
    unsigned found = 0;
    for (int allocations = 0; allocations < 60; allocations++) {
        start_again();
        machine.allocations = allocations;
        adopt();
        if (held().contains(disk) && blocked(disk) && held().contains(nic) && !blocked(nic)) {
            EXPECT_EQ(machine.unit.nr_copies, 2U);
            found++;
        }
    }
    EXPECT_GE(found, 3U); // two pages of a copy, and one of ids
}

// Many PASIDs of one process have one id: it is remembered once.
TEST_P(ScalableTags, AreRememberedOnce) {
    for (unsigned n = 0; n < 64; n++)
        give(nic, n, 5 + n % 3);
    adopt();
    EXPECT_EQ(machine.unit.nr_tags, 3U);
}

// And for a unit.
TEST_P(ScalableTags, HaveABoundForAUnit) {
    machine.unit.cap |= 7;
    leave_alone({});
    constexpr unsigned each = 1024, all = TAKEOVER_TAG_PAGES * 1024;
    for (unsigned pde = 0; pde < each / 64; pde++)
        for (unsigned i = 0; i < 64; i++) {
            const Phys table{0x10c00000 + pde * 4096};
            machine.old_page(directory_of(nic))[pde] = table.value | 1;
            machine.old_page(table)[i * 8] = 1;
            machine.old_page(table)[i * 8 + 1] = 100 + pde * 64 + i;
        }
    for (unsigned n = 0; n < all / each + 1; n++)
        old(Rid::of(0, n / 8, n % 8))[0] = directory_of(nic).value | pasid_enable | 1;
    adopt();
    EXPECT_EQ(machine.unit.nr_tags, all);
    EXPECT_EQ(machine.unit.nr_dropped, 1U);
    EXPECT_EQ(lines("too many PASIDs to read (-7)"), 1U);
}

INSTANTIATE_TEST_SUITE_P(Modes, Tags, testing::Values(Mode::Legacy, Mode::Scalable),
                         [](const auto& made) {
                             return made.param == Mode::Legacy ? "Legacy" : "Scalable";
                         });
INSTANTIATE_TEST_SUITE_P(Legacy, LegacyTags, testing::Values(Mode::Legacy),
                         [](const auto&) { return "Legacy"; });
INSTANTIATE_TEST_SUITE_P(Scalable, ScalableTags, testing::Values(Mode::Scalable),
                         [](const auto&) { return "Scalable"; });

} // namespace
