// SPDX-License-Identifier: GPL-2.0-only
//
// The guard, with a unit that is a register file and the model's walk: whatever the old tables say,
// forbidden memory is not reached, and all else is as before.

#include <algorithm>
#include <cerrno>
#include <optional>
#include <random>
#include <vector>

#include <gtest/gtest.h>

#include "tests/guarded.h"

using namespace vtd;

namespace {

// A tree without a word to be repaired is used where it is.
TEST_P(Guarded, IsNotCopiedWithoutNeed) {
    const Phys top = table(), three = table(), two = table(), one = table();
    word(top, 0) = three.value | 3;
    word(three, 1) = two.value | 3;
    word(three, 2) = 0x40000000 | 0x83;
    word(two, 5) = one.value | 3;
    word(two, 6) = 0x30000000 | 0x83;
    word(one, 7) = crash_end | 3;
    word(one, 8) = (crash_start - page) | 3;
    give(top.value, 4);
    adopt();
    EXPECT_TRUE(same(ours(nic), old(nic)));
    EXPECT_EQ(machine.unit.nr_guarded, 4U);
    EXPECT_EQ(machine.unit.nr_repaired, 0U);
    EXPECT_EQ(machine.unit.nr_cut, 0U);
    EXPECT_EQ(machine.unit.nr_guard_pages, 0U);
    EXPECT_EQ(machine.live_tables, scalable() ? 1U + 1 : 1U); // tags; contexts
}

TEST_P(Guarded, IsCopiedOnTheWayToAForbiddenPage) {
    const Phys top = table(), three = table(), two = table(), one = table(), beside = table();
    word(top, 0) = three.value | 3;
    word(three, 1) = two.value | 3;
    word(two, 5) = one.value | 3;
    word(two, 6) = beside.value | 3;
    word(one, 7) = crash_start | 3;
    word(one, 8) = 0x10fff000 | 3;
    word(beside, 0) = 0x10ffe000 | 3;
    give(top.value, 4);
    const u64 at = (u64{1} << 30) + 5 * (u64{1} << 21);
    const auto memory = machine.peek_old(one);
    const std::vector<u64> kept(memory.begin(), memory.end());
    adopt();
    EXPECT_EQ(before(at + 7 * page), crash_start);
    EXPECT_EQ(now(at + 7 * page), std::nullopt);
    EXPECT_EQ(now(at + 8 * page), 0x10fff000U);
    EXPECT_EQ(now(at + (1 << 21)), 0x10ffe000U);
    EXPECT_EQ(machine.unit.nr_repaired, 1U);
    EXPECT_EQ(machine.unit.nr_cut, 1U);
    EXPECT_EQ(machine.traced, (std::vector<Traced>{{VTD_TRACE_CUT, 1, crash_start | 3, 0}}));
    // Of each table on the way one, in scalable mode of directory and PASID table as well.
    EXPECT_EQ(machine.unit.nr_guard_pages, scalable() ? 6U : 4U);
    EXPECT_TRUE(same(memory, kept)) << "INTACT";
    EXPECT_TRUE(machine.reserved.contains(own) || !scalable());
}

// Most tables are full, and all that they lead to is far from anything forbidden; one word in the
// middle of it is not.
TEST_P(Guarded, FindsTheOneWordInAFullTable) {
    forbid(false);
    const Phys two = table(), clean = table(), dirty = table();
    word(two, 0) = clean.value | rw;
    word(two, 1) = dirty.value | rw;
    for (unsigned n = 0; n < 512; n++) {
        word(clean, n) = (0x40000000 + n * page) | rw;
        word(dirty, n) = (n == 299 ? crash_end - page : 0x40200000 + n * page) | rw;
    }
    give(above(two), 4);
    adopt();
    EXPECT_EQ(machine.unit.nr_cut, 1U);
    for (u64 n = 0; n < 1024; n++)
        ASSERT_EQ(now(n * page),
                  n == 512 + 299 ? std::nullopt : std::optional{0x40000000 + n * page});
}

TEST_P(Guarded, SplitsPagesAtTheBorder) {
    const Phys top = table(), three = table();
    word(top, 0) = three.value | 3;
    word(three, 0) = 0x83;              // the first gigabyte, low memory and kdump kernel in it
    word(three, 1) = 0x40000000 | 0x83; // the second one
    give(top.value, 4);
    adopt();
    for (u64 iova = 0; iova < u64{1} << 31; iova += page) {
        if (iova % 0x4000000 == 0x300000)
            iova += 0x3900000; // nothing happens there
        ASSERT_EQ(now(iova), forbidden(iova, page) ? std::nullopt : std::optional{iova})
            << std::hex << iova;
    }
}

TEST_P(Guarded, CutsPointersToAnywhereElse) {
    const Phys top = table(), three = table(), two = table();
    const u64 bad[] = {
        0xfee00000,  0xfed90000, crash_start, old_root.value - page, old_root.value + ram_size,
        u64{1} << 51};
    word(top, 0) = three.value | 3;
    word(three, 0) = two.value | 3;
    for (unsigned n = 0; n < std::size(bad); n++) {
        word(two, n) = bad[n] | 3;
        word(three, n + 1) = bad[n] | 3;
        word(top, n + 1) = bad[n] | 3;
        machine.old_page({bad[n]})[0] = 0x10fff000 | 3;
    }
    const Phys good = table();
    word(two, 100) = good.value | 3;
    word(good, 0) = 0x10fff000 | 3;
    give(top.value, 4);
    adopt();
    EXPECT_EQ(machine.unit.nr_cut, 3 * std::size(bad));
    EXPECT_EQ(now(100 << 21), 0x10fff000U);
}

TEST_P(Guarded, CutsWhatIsPoisoned) {
    const Phys top = table(), three = table(), two = table(), good = table(), bad = table();
    word(top, 0) = three.value | 3;
    word(three, 0) = two.value | 3;
    word(two, 0) = bad.value | 3;
    word(two, 1) = good.value | 3;
    word(bad, 0) = word(good, 0) = 0x10fff000 | 3;
    machine.poisoned.insert(bad);
    give(top.value, 4);
    adopt();
    EXPECT_EQ(now(0), std::nullopt);
    EXPECT_EQ(now(1 << 21), 0x10fff000U);

    start_again();
    machine.poisoned = {top};
    adopt();
    EXPECT_EQ(now(1 << 21), std::nullopt);
    EXPECT_TRUE(scalable() || blocked(nic));
}

// Tables that hold themselves, and each other, on all levels: each is visited once for each.
TEST_P(Guarded, EndsWithTablesThatHoldThemselves) {
    const Phys top = table(), other = table();
    for (unsigned at = 0; at < 512; at++) {
        word(top, at) = (at % 2 ? top : other).value | 3;
        word(other, at) = (at % 2 ? top : other).value | 3;
    }
    word(other, 511) = crash_start | 3;
    give(top.value, 5);
    machine.reads = 0;
    adopt();
    EXPECT_LE(machine.unit.nr_guarded, 2U * 5);
    for (const u64 iova : {u64{0}, u64{0x1fffffffff000}, u64{0x1ff000}, ~u64{0} >> 7})
        compare(iova);
    EXPECT_LE(machine.unit.nr_guard_pages, 2U * 5 + 2);
}

TEST_P(Guarded, LetsAddressesThroughAsTheyAreButForTheCrashKernel) {
    give(0, 4, 4);
    give(0, 4, 4, false, disk);
    adopt();
    EXPECT_EQ(machine.unit.nr_dropped, 0U);
    for (const u64 edge : {u64{0}, low_end, crash_start, crash_end, u64{0xfe000000}, u64{1} << 39})
        for (const u64 at : {edge - 2 * page, edge - page, edge, edge + page})
            if (at < u64{1} << 40) {
                EXPECT_EQ(now(at), forbidden(at, page) ? std::nullopt : std::optional{at})
                    << std::hex << at;
            }
    // Both have one table, and an id that no old domain has.
    const auto one = std::get<model::Translation>(walk(new_rtaddr(), 0x40000000));
    const auto other = std::get<model::Translation>(
        walk(new_rtaddr(), 0x40000000, model::Access::write, false, disk));
    EXPECT_EQ(one.did, other.did);
    EXPECT_NE(one.did.value, own.value);
    EXPECT_GT(one.did.value, TAKEOVER_DID_OF_DRIVER);
    EXPECT_TRUE(machine.reserved.contains({one.did.value}));
    EXPECT_FALSE(one.pass_through);
    EXPECT_EQ(one.page_bits, 30U);
    EXPECT_LT(machine.unit.nr_guard_pages, 1000U);
}

// Without large pages that would take more than there is.
TEST_P(Guarded, BlocksWhatHasNoLargePagesIfToldTo) {
    machine.unit.cap &= ~(u64{3} << 34);
    machine.unit.strict = true;
    give(0, 4, 4);
    adopt();
    EXPECT_EQ(now(0x40000000), std::nullopt);
    EXPECT_TRUE(blocked(nic));
    EXPECT_TRUE(logged("its tables cannot be guarded (-12)"));
}

// Whoever takes more than there is goes without, and alone.
TEST_P(Guarded, GivesBackWhatDidNotSuffice) {
    const auto tables = [&](unsigned number) {
        const Phys middle = table();
        for (unsigned n = 0; n < number; n++) {
            const Phys last = table();
            word(middle, n) = last.value | rw;
            word(last, 0) = crash_start | rw;
            word(last, 1) = 0x40000000 | rw;
        }
        return above(middle);
    };
    machine.budget(40);
    give(tables(100), 4);
    give(tables(2), 4, 2, false, disk);
    adopt();
    EXPECT_TRUE(blocked(nic));
    EXPECT_TRUE(logged("its tables cannot be guarded (-12)"));
    EXPECT_EQ(machine.unit.nr_dropped, 1U);
    EXPECT_EQ(target(walk(new_rtaddr(), 0x1000, model::Access::read, false, disk), 0x1000),
              0x40000000U);
    EXPECT_EQ(target(walk(new_rtaddr(), 0, model::Access::read, false, disk), 0), std::nullopt);
    // A page of each level, and one for each page; of PASIDs, too.
    EXPECT_EQ(machine.unit.nr_guard_pages, 5U + (scalable() ? 2 : 0));
}

// A pass-through device may come first, and its identity table may be what there is no memory for.
TEST_P(Guarded, GivesBackAnIdentityTableToo) {
    machine.budget(16);
    machine.unit.strict = true;
    give(0, 4, 4);
    const Phys top = table();
    word(top, 0) = 0x40000000 | 0x80 | rw;
    give(above(top), 4, 2, false, disk);
    adopt();
    EXPECT_TRUE(blocked(nic));
    EXPECT_EQ(target(walk(new_rtaddr(), 0x1000, model::Access::read, false, disk), 0x1000),
              0x40001000U);
    EXPECT_EQ(machine.unit.nr_dropped, 1U);
}

// What lies there is this kernel's, and is neither believed nor written.
TEST_P(Guarded, KnowsItsCopiesFromWhatLooksLikeThem) {
    if (!scalable())
        return;
    const Phys top = table();
    word(top, 0) = 0x40000000 | 0x80 | rw;
    for (const bool pasids : {false, true}) {
        give(above(top), 4);
        old(nic)[0] |= u64{pasids} << 3;
        word(directory_, 0) = crash_start | 1;
        adopt();
        EXPECT_EQ(now(0), std::nullopt);
        EXPECT_EQ(blocked(nic), !pasids);
        EXPECT_EQ(logged("its tables cannot be guarded (-14)"), !pasids);
        start_again();
    }
    give(above(top), 4);
    old(nic)[0] = crash_start | 1;
    adopt();
    EXPECT_TRUE(blocked(nic));
}

// A device-TLB remembers what is not in the tables any more.
TEST_P(Guarded, MakesDevicesForget) {
    const Phys good = table(), bad = table();
    word(good, 0) = 0x40000000 | 0x80 | rw;
    word(bad, 0) = (crash_start & -(u64{1} << 21)) | 0x80 | rw;
    machine.unit.ecap |= 1 << 2 | u64{1} << 40; // DT, PASID
    for (const bool answers : {true, false}) {
        machine.functions_answer = answers;
        for (const Rid rid : {nic, disk})
            machine.functions[rid] = {{rid.value}, VTD_DEVICE_ATS | VTD_DEVICE_PASID};
        give(above(bad), 4);
        give(above(good), 4, 2, false, disk);
        adopt();
        machine.events.clear();
        ASSERT_EQ(takeover_install(&machine.unit), 0);
        const auto count = [&](Op op, Rid rid) {
            return std::ranges::count_if(machine.events, [=](const Event& event) {
                return event.op == op && event.rid == rid;
            });
        };
        EXPECT_EQ(count(Op::InvDevtlb, nic), answers ? 2 : 1);
        EXPECT_EQ(count(Op::InvDevtlbPasids, nic), answers && scalable() ? 2 : 0);
        EXPECT_EQ(count(Op::InvDevtlb, disk), 0);
        EXPECT_EQ(blocked(nic), !answers);
        EXPECT_EQ(std::ranges::count_if(machine.traced,
                                        [](const Traced& traced) {
                                            return traced.event == VTD_TRACE_DROP &&
                                                   traced.what == nic.value && traced.before & 1 &&
                                                   traced.now == u64{} - ETIMEDOUT;
                                        }),
                  !answers);
        EXPECT_FALSE(blocked(disk));
        start_again();
    }
}

// Firmware was there first.
TEST_P(Guarded, LetsReservedMemoryBe) {
    const Phys two = table(), last = table();
    word(two, 0) = last.value | rw;
    word(last, 0) = crash_start | rw;
    word(last, 1) = (crash_start + page) | rw;
    machine.firmware.push_back({disk, crash_start, crash_start + page - 1});
    give(above(two), 4);
    adopt();
    EXPECT_EQ(now(0), crash_start);
    EXPECT_EQ(now(page), std::nullopt);
    EXPECT_TRUE(logged("its reserved memory 0x"));
}

// pci=nommconf hides whether ATS is on, and virtual functions may be there that nobody knows of, or
// not be there any more.
TEST_P(Guarded, AsksWhomItCannotSee) {
    const Phys bad = table();
    word(bad, 0) = (crash_start & -(u64{1} << 21)) | 0x80 | rw;
    machine.unit.ecap |= 1 << 2 | u64{1} << 40; // DT, PASID
    enum { known, stranger, gone };
    for (const auto kind : {known, stranger, gone})
        for (const bool answers : {true, false}) {
            machine.functions.clear();
            machine.strangers = kind == stranger;
            machine.functions_answer = answers;
            machine.time_outs = 0;
            for (const Rid rid : {nic, disk}) {
                if (kind == known)
                    machine.functions[rid] = {{rid.value}, VTD_DEVICE_HIDDEN};
                give(above(bad), 4, 2, false, rid);
                old(rid)[0] |= 1 << 2; // TT, DTE
            }
            adopt();
            ASSERT_EQ(takeover_install(&machine.unit), 0);
            EXPECT_EQ(std::ranges::count(ops(), Op::InvDevtlb), kind == gone ? 0 : answers ? 4 : 2);
            EXPECT_EQ(std::ranges::count(ops(), Op::InvDevtlbPasids), 0);
            EXPECT_EQ(machine.time_outs, answers || kind == gone ? 0U : 2U);
            EXPECT_EQ(blocked(nic), !answers && kind != gone);
            EXPECT_EQ(blocked(disk), !answers && kind != gone);
            start_again();
        }
}

// Who has no device-TLB, or was not allowed to use it, is not asked.
TEST_P(Guarded, AsksOnlyWhoRemembers) {
    const Phys bad = table();
    word(bad, 0) = (crash_start & -(u64{1} << 21)) | 0x80 | rw;
    machine.unit.ecap |= 1 << 2; // DT
    machine.functions[disk] = {{disk.value}, 0};
    give(above(bad), 4);
    give(above(bad), 4, 2, false, disk);
    adopt();
    machine.functions_answer = false;
    ASSERT_EQ(takeover_install(&machine.unit), 0);
    EXPECT_EQ(std::ranges::count(ops(), Op::InvDevtlb), 0);
    EXPECT_FALSE(blocked(nic));
    EXPECT_FALSE(blocked(disk));
}

// Who lost its tables and was given its reserved memory has nothing of theirs that was cut.
TEST_P(Guarded, AsksNobodyWhoHasReservedMemoryOnly) {
    const Phys bad = table(), poison = table();
    word(bad, 0) = (crash_start & -(u64{1} << 21)) | 0x80 | rw;
    machine.poisoned.insert(poison);
    machine.firmware.push_back({disk, 0x30000000, 0x30000fff});
    for (const Rid rid : {nic, disk})
        machine.functions[rid] = {{rid.value}, VTD_DEVICE_ATS};
    give(above(bad), 4);
    give(poison.value, 4, 2, false, disk);
    adopt();
    machine.functions_answer = false;
    ASSERT_EQ(takeover_install(&machine.unit), 0);
    EXPECT_TRUE(blocked(nic));
    EXPECT_FALSE(blocked(disk));
    EXPECT_EQ(lines("it does not forget where it had access"), 1U);
}

TEST_P(Guarded, SaysNothingOfReservedMemoryElsewhere) {
    machine.firmware.push_back({disk, crash_end, crash_end + page - 1});
    adopt();
    EXPECT_EQ(lines("its reserved memory"), 0U);
}

TEST_P(Guarded, HasNothingToDoIfNothingIsForbidden) {
    const Phys bad = table();
    word(bad, 0) = (crash_start & -(u64{1} << 21)) | 0x80 | rw;
    give(above(bad), 4);
    takeover_forbid_nothing();
    adopt();
    EXPECT_TRUE(same(ours(nic), old(nic)));
    EXPECT_EQ(machine.unit.nr_guarded, 0U);
}

TEST_P(Guarded, TellsWhatIsForbidden) {
    takeover_tell_forbidden();
    EXPECT_TRUE(logged("no device may reach 0x20003000-0x2fff4fff before"));
    EXPECT_EQ(lines("no device may reach"), 3U);
}

TEST_P(Guarded, IsNotIfThatIsAskedFor) {
    const Phys top = table();
    word(top, 0) = (crash_start & -(u64{1} << 21)) | 0x80 | rw;
    give(above(top), 4);
    machine.unit.unguarded = true;
    adopt_and_install();
    EXPECT_EQ(now(crash_start % (u64{1} << 21)), crash_start);
    EXPECT_TRUE(logged("not guarded (0)"));
}

// Any tables.
class Anything : public Guarded {
protected:
    // A word of a table that is one of `tables`, on any level.
    u64 any_word(std::mt19937_64& random, const std::vector<Phys>& tables) {
        const auto below = [&](u64 end) { return random() % end; };
        const u64 places[] = {tables[below(tables.size())].value,
                              old_root.value + below(ram_size / page) * page,
                              crash_start + below((crash_end - crash_start) / page) * page,
                              crash_start - page,
                              crash_end,
                              below(u64{1} << 20) * page,
                              below(u64{1} << 10) << 30,
                              below(u64{1} << 18) << 21,
                              0};
        const u64 rights[] = {7, 3, 1, 2, 0x83, 0x87, 0x81, 0};
        return places[below(3) ? 0 : below(std::size(places))] |
               rights[below(3) ? 0 : below(std::size(rights))];
    }

    void run(u64 type, unsigned levels, bool sre, unsigned seed) {
        std::mt19937_64 random(seed);
        std::vector<Phys> tables;
        for (unsigned n = 0; n < 12; n++)
            tables.push_back(table());
        std::vector<unsigned> slots;
        for (unsigned n = 0; n < 6; n++)
            slots.push_back(static_cast<unsigned>(random() % 512));
        for (const Phys at : tables)
            for (const unsigned slot : slots)
                word(at, slot) = any_word(random, tables);
        give(tables[0].value, levels, type, sre);
        adopt();
        for (unsigned n = 0; n < 300; n++) {
            u64 iova = 0;
            for (unsigned level = 0; level < levels; level++)
                iova = iova << 9 | (random() % 8 ? slots[random() % slots.size()] : random() % 512);
            if (type == 1 && iova >> (9 * levels - 1))
                continue; // an upper half, which has other addresses
            compare(iova * page);
            if (HasFatalFailure())
                return;
        }
        forbid(seed % 3 != 0); // for the next one
        start_again();
    }
};

TEST_P(Anything, OfTheSecondStage) {
    for (unsigned seed = 0; seed < 60; seed++) {
        run(2, seed % 2 ? 4 : 5, false, seed);
        ASSERT_FALSE(HasFatalFailure()) << seed;
    }
    EXPECT_GT(compared, 1000U);
    EXPECT_GT(shielded, 100U);
}

// A stray write is taken by a page that nobody reads; a stray read is an error, and no zeroes.
TEST_P(Anything, WithAScratchPage) {
    machine.unit.cap |= 1 << 22; // ZLR
    has_scratch = true;
    for (unsigned seed = 0; seed < 60; seed++) {
        run(2, seed % 2 ? 4 : 5, false, seed);
        ASSERT_FALSE(HasFatalFailure()) << seed;
    }
    EXPECT_GT(shielded, 100U);
}

// A unit could, and was told not to.
TEST_P(Anything, WithoutAScratchPage) {
    machine.unit.cap |= 1 << 22; // ZLR
    for (unsigned seed = 0; seed < 20; seed++) {
        machine.unit.quarantine = TAKEOVER_CUT;
        run(2, 4, false, seed);
        ASSERT_FALSE(HasFatalFailure()) << seed;
    }
    EXPECT_GT(shielded, 100U);
}

TEST_P(Anything, OfTheFirstStage) {
    if (!scalable())
        return;
    machine.unit.cap |= 1 << 22; // ZLR, which is no use: it knows no write-only pages
    for (unsigned seed = 0; seed < 60; seed++) {
        run(1, seed % 2 ? 4 : 5, seed % 4 < 2, seed);
        ASSERT_FALSE(HasFatalFailure()) << seed;
    }
    EXPECT_GT(compared, 1000U);
    EXPECT_GT(shielded, 100U);
}

INSTANTIATE_TEST_SUITE_P(Modes, Guarded, testing::Values(Mode::Legacy, Mode::Scalable));
INSTANTIATE_TEST_SUITE_P(Modes, Anything, testing::Values(Mode::Legacy, Mode::Scalable));

} // namespace
