// SPDX-License-Identifier: GPL-2.0-only
//
// What the guard does not understand, what it cannot read, and what there is too much of. Then
// somebody goes without access, and who that is and what it costs the others is asked here.

#include <algorithm>
#include <array>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "tests/guarded.h"

using namespace vtd;

namespace {

constexpr u64 gib = u64{1} << 30;
constexpr u64 good = gib;
constexpr u64 large = 0x80;
// CAP and ECAP
constexpr u64 zlr = 1 << 22, pages_2m = u64{1} << 34, pages_1g = u64{1} << 35;
constexpr u64 ssts = u64{1} << 46, fsts = u64{1} << 47, pt = 1 << 6, pasid = u64{1} << 40,
              srs = u64{1} << 31;
constexpr u64 sagaw(u64 bits) { return bits << 8; }
// 9.5, 9.6: blocks, and is not reported.
constexpr u64 silent = 2;
constexpr u64 paside = 1 << 3, rid_priv = 1 << 20;

class Limits : public Guarded {
protected:
    Limits() {
        machine.unit.ecap |= pasid;
        machine.unit.strict = true; // what goes on unguarded is floor_test.cpp's
    }
    u64 harmless() {
        const Phys two = table();
        word(two, 0) = good | large | rw;
        return above(two);
    }
    // Its first page is the kdump kernel's, its second one is not.
    u64 harmful() {
        const Phys two = table(), last = table();
        word(two, 0) = last.value | rw;
        word(last, 0) = crash_start | rw;
        word(last, 1) = good | rw;
        return above(two);
    }
    // Of this many tables each has to be copied.
    u64 too_much(unsigned tables) {
        const Phys two = table();
        for (unsigned n = 0; n < tables; n++) {
            const Phys last = table();
            word(two, n) = last.value | rw;
            word(last, 0) = crash_start | rw;
            word(last, 1) = good | rw;
        }
        return above(two);
    }
    u64* old_pasid(unsigned n) { return machine.old_page(pasids_).data() + n * std::size_t{8}; }
    // Of the first table of a directory.
    const u64* our_pasid(unsigned n) {
        const u64 directory = ours(nic)[0] & ~(page - 1);
        return in_ours(in_ours(directory)[0] & ~(page - 1)) + n * std::size_t{8};
    }
    static const u64* in_ours(u64 at) { return reinterpret_cast<const u64*>(at); }
    static const u64* below(const u64* table, unsigned at) {
        return in_ours(table[at] & ((u64{1} << 52) - page));
    }
    static bool silenced(const u64* entry) { return entry[0] == silent; }
    bool told_of_drop(const std::string& error) const {
        return std::ranges::any_of(machine.traced, [&](const Traced& traced) {
            return traced.event == VTD_TRACE_DROP && traced.what == nic.value &&
                   traced.before & 1 && traced.now == u64{} - std::stoul(error);
        });
    }

    // Once more, without what it says not being changed.
    void refused(const std::string& error, const std::function<void()>& prepare) {
        const u64 cap = machine.unit.cap, ecap = machine.unit.ecap;
        prepare();
        adopt();
        EXPECT_TRUE(blocked(nic));
        EXPECT_TRUE(logged("00:01.0: ") && logged("its tables cannot be guarded (-" + error + ")"))
            << testing::PrintToString(machine.log);
        EXPECT_TRUE(told_of_drop(error));
        start_again();
        machine.unit.cap = cap;
        machine.unit.ecap = ecap;
    }
    // Anything may fail when this page is read for the last time, which is by the guard.
    void at_last_read(Phys at, const std::function<void()>& then) {
        unsigned reads = 0;
        machine.on_read = [&](Phys where, std::size_t) { reads += where == at; };
        adopt();
        start_again();
        machine.on_read = [=, left = reads](Phys where, std::size_t) mutable {
            if (where == at && --left == 0)
                then();
        };
        adopt();
        machine.on_read = [](Phys, std::size_t) {};
    }
    bool reaches_forbidden(Rid rid, u64 iova) {
        for (const auto access : {model::Access::read, model::Access::write})
            if (const auto at = target(walk(new_rtaddr(), iova, access, true, rid), iova))
                if (forbidden(*at, page))
                    return true;
        return false;
    }
};

TEST_P(Limits, LetsNothingThroughThatItDoesNotUnderstand) {
    if (scalable())
        return;
    const auto passing = [&](u64 low, u64 high) {
        old(nic)[0] = low | 1;
        old(nic)[1] = own.value << 8 | high;
    };
    refused("95", [&] { passing(harmless() | 3 << 2, 2); });
    refused("95", [&] {
        machine.unit.ecap &= ~pt;
        passing(2 << 2, 2);
    });
    refused("95", [&] { passing(u64{1} << 43 | 2 << 2, 2); });
    refused("95", [&] { passing(2 << 2, 1); });
    refused("95", [&] { // two levels
        machine.unit.cap |= sagaw(1);
        passing(2 << 2, 0);
    });
    refused("95", [&] { // and six
        machine.unit.cap |= sagaw(16);
        passing(2 << 2, 4);
    });
    refused("95", [&] { passing(harmless(), 4); });
}

TEST_P(Limits, UnderstandsNoOtherPasids) {
    if (!scalable())
        return;
    for (const u64 type : {0, 5, 6, 7})
        refused("95", [&] { give(harmless(), 4, type); });
    refused("95", [&] { // neither four levels nor five
        give(harmless(), 4, 1);
        old_pasid(0)[2] |= 2 << 2;
    });
    refused("95", [&] { // six
        give(harmless(), 6);
    });
    refused("95", [&] {
        machine.unit.ecap &= ~pt;
        give(0, 4, 4);
    });
    refused("95", [&] {
        machine.unit.ecap &= ~(ssts | fsts);
        give(0, 4, 4);
    });
    refused("95", [&] { // no number of levels that is one
        machine.unit.ecap &= ~fsts;
        machine.unit.cap &= ~sagaw(31);
        give(0, 4, 4);
    });
    refused("95", [&] {
        give(0, 4, 4);
        old_pasid(0)[0] |= u64{1} << 43;
    });
    refused("95", [&] {
        give(0, 4, 4);
        old_pasid(0)[2] |= u64{1} << 43;
    });
    refused("14", [&] { give(crash_start, 4); });
}

// A kernel gives all of them the widest one. What has a narrow one gets no further than that.
TEST_P(Limits, HasAnIdentityTableOfEachWidth) {
    if (scalable())
        return;
    machine.unit.cap |= sagaw(2);
    give(0, 4, 4);
    give(0, 3, 4, false, disk);
    adopt();
    for (const u64 at : {good, u64{1} << 39}) {
        EXPECT_EQ(now(at), at);
        EXPECT_EQ(target(walk(new_rtaddr(), at, model::Access::read, false, disk), at),
                  at == good ? std::optional{at} : std::nullopt);
    }
}

// Units of first-stage tables alone, and of three levels.
TEST_P(Limits, LetsThroughByWhatTheUnitHas) {
    if (!scalable())
        return;
    machine.populated = [](u64 start, u64) { return start < u64{1} << 39; };
    for (const bool first : {true, false}) {
        const u64 cap = machine.unit.cap, ecap = machine.unit.ecap;
        // A first stage has 47 bits, and beyond there is nothing.
        machine.unit.address_bits = 48;
        if (first)
            machine.unit.ecap &= ~ssts;
        else
            machine.unit.cap = (cap & ~sagaw(31)) | sagaw(2);
        give(0, 4, 4);
        adopt();
        EXPECT_NE(our_pasid(0)[1] & 0xffff, own.value);
        EXPECT_EQ(our_pasid(0)[0] >> 6 & 7, first ? 1U : 2U);
        // AW is not asked for in a first stage, but by QEMU: it stays.
        EXPECT_EQ(our_pasid(0)[0] >> 2 & 7, first ? 2U : 1U);
        for (const u64 at : {u64{0}, low_end - page, low_end, crash_start - page, crash_start,
                             crash_end - page, crash_end, u64{1} << 38})
            EXPECT_EQ(now(at), forbidden(at, page) ? std::nullopt : std::optional{at});
        start_again();
        machine.unit.cap = cap;
        machine.unit.ecap = ecap;
    }
}

// Its own id is the driver's, its table cannot be guarded, and firmware has memory for it: the
// entry that it gets for that is the same before and after the installation.
TEST_P(Limits, LeavesAnEntryThatIsNoLongerTheOldOne) {
    give(harmless(), 4);
    if (scalable())
        old_pasid(0)[1] = TAKEOVER_DID_OF_DRIVER;
    else
        old(nic)[1] = u64{TAKEOVER_DID_OF_DRIVER} << 8 | 4; // six levels
    if (scalable())
        old_pasid(0)[0] |= 4 << 2;
    machine.firmware = {{nic, 0x7f000000, 0x7f000fff}};
    adopt();
    std::vector<u64> wanted(ours(nic).begin(), ours(nic).end());
    EXPECT_EQ(wanted[0] & 3, 2U); // silent: reserved memory alone
    ASSERT_EQ(takeover_install(&machine.unit), 0);
    wanted[0] |= 1;
    EXPECT_TRUE(same(ours(nic), wanted));
    EXPECT_EQ(now(0x7f000000), 0x7f000000U);
    EXPECT_EQ(now(0), std::nullopt);
}

// Nothing told supervisors from users before.
TEST_P(Limits, LetsSupervisorsThroughAsWell) {
    if (!scalable())
        return;
    machine.unit.ecap = (machine.unit.ecap & ~ssts) | srs;
    give(0, 4, 4);
    old(nic)[1] = rid_priv;
    adopt();
    EXPECT_EQ(our_pasid(0)[0] >> 6 & 7, 1U);
    for (const u64 at : {crash_start - page, crash_start, crash_end})
        EXPECT_EQ(now(at), forbidden(at, page) ? std::nullopt : std::optional{at});
}

TEST_P(Limits, NeedsAnIdForWhatIsLetThrough) {
    machine.no_did = -ENOSPC;
    refused("28", [&] { give(0, 4, 4); });
}

// In scalable mode it is noted who uses an id, and that takes memory from time to time.
TEST_P(Limits, NeedsToNoteWhoUsesTheId) {
    if (!scalable())
        return;
    constexpr unsigned notes = 4096 / 4; // of a page
    // All but those of the card, of the disk (three: one of its ids is replaced), and of the
    // identity table.
    unsigned left = notes - 5;
    for (unsigned slot = 2; left; slot++) {
        const u64 top = harmless();
        const Rid rid = Rid::of(0, slot, 0);
        give(top, 4, 2, false, rid);
        old(rid)[0] |= paside;
        for (unsigned n = 0; n < 250 && left; n++, left--) {
            if (n % 64 == 0) {
                pasids_ = table();
                word(directory_, n / 64) = pasids_.value | 1;
            }
            old_pasid(n % 64)[0] = 2 << 6 | 2 << 2 | top | 1;
            old_pasid(n % 64)[1] = 2 + n;
        }
    }
    give(0, 4, 4);
    // The disk's tables of PASIDs are copies already: they take no more memory.
    const Phys two = table();
    word(two, 0) = good | large | rw;
    give(above(two), 4, 2, false, disk);
    old(disk)[0] |= paside;
    old_pasid(0)[1] = TAKEOVER_DID_OF_DRIVER;
    old_pasid(1)[0] = 4 << 6 | 2 << 2 | 1;
    old_pasid(1)[1] = own.value;
    ASSERT_LT(nic, disk);
    at_last_read(two, [&] {
        EXPECT_EQ(machine.unit.nr_tags, notes);
        machine.allocations = 0;
    });
    EXPECT_FALSE(blocked(nic));
    EXPECT_TRUE(blocked(disk));
    EXPECT_TRUE(logged("00:1f.2: entry dropped: its tables cannot be guarded (-12)"));
}

// Each stream of a device for itself.
TEST_P(Limits, SilencesWhatItMust) {
    if (!scalable())
        return;
    const Phys poison = table();
    const u64 bad = harmful(), fine = harmless();
    give(fine, 4);
    old(nic)[0] |= paside;
    const auto set = [&](unsigned n, u64 type, u64 first, u64 second) {
        old_pasid(n)[0] = type << 6 | 2 << 2 | second | 1;
        old_pasid(n)[1] = own.value;
        old_pasid(n)[2] = first;
    };
    set(2, 0, 0, 0);            // of no type
    set(3, 2, 0, crash_start);  // tables where there can be none
    set(4, 2, 0, poison.value); // or that cannot be read
    set(5, 4, 0, 0);            // all addresses
    set(6, 3, 0x123000, bad);   // nested: only the second stage counts
    set(7, 1, fine, 0);         // first stage, sound
    set(8, 1, bad, 0);          // and not
    machine.poisoned.insert(poison);
    adopt();
    EXPECT_TRUE(std::equal(our_pasid(0), our_pasid(2), old_pasid(0)));
    for (const unsigned n : {2U, 3U, 4U})
        EXPECT_TRUE(silenced(our_pasid(n))) << n;
    EXPECT_EQ(our_pasid(5)[0] >> 6 & 7, 2U);
    EXPECT_NE(our_pasid(5)[1] & 0xffff, own.value);
    EXPECT_EQ(our_pasid(6)[0] >> 6 & 7, 3U);
    EXPECT_EQ(our_pasid(6)[1] & 0xffff, own.value);
    EXPECT_EQ(our_pasid(6)[2], 0x123000U);
    const u64* two = below(below(in_ours(our_pasid(6)[0] & ~(page - 1)), 0), 0);
    EXPECT_EQ(below(two, 0)[0], 0U);
    EXPECT_EQ(below(two, 0)[1], good | rw);
    EXPECT_TRUE(std::equal(our_pasid(7), our_pasid(8), old_pasid(7)));
    // 9.6: User/Supervisor is clear on the way, and SRE: nobody gets there.
    EXPECT_TRUE(std::equal(our_pasid(8), our_pasid(9), old_pasid(8)));
    EXPECT_EQ(machine.unit.nr_cut, 3U + 1);
}

// The same page is harmless as a table of pages, and not as a table of tables.
TEST_P(Limits, KnowsATableByItsLevel) {
    const Phys top = table(), three = table(), two = table(), both = table();
    word(top, 0) = three.value | rw;
    word(three, 0) = two.value | rw;
    word(two, 0) = both.value | rw;
    word(three, 1) = both.value | rw;
    word(both, 0) = good | rw;
    give(top.value, 4);
    adopt();
    EXPECT_EQ(now(0), good);
    EXPECT_EQ(machine.traced, (std::vector<Traced>{{VTD_TRACE_CUT, 2, good | rw, 0}}));
}

// And harmless to who is a user, not to supervisors or where there is no such difference.
TEST_P(Limits, KnowsATableByItsFormat) {
    if (!scalable())
        return;
    const u64 top = harmful();
    for (const unsigned last : {1U, 2U, 3U}) {
        give(harmless(), 4);
        old(nic)[0] |= paside;
        const auto set = [&](unsigned n, u64 type, u64 flags) {
            const bool first = type == 1;
            old_pasid(n)[0] = type << 6 | 2 << 2 | (first ? 0 : top) | 1;
            old_pasid(n)[1] = own.value;
            old_pasid(n)[2] = first ? top | flags : 0;
        };
        set(1 + last % 3, 1, 0);       // a user
        set(1 + (last + 1) % 3, 1, 1); // SRE
        set(1 + (last + 2) % 3, 2, 0);
        adopt();
        EXPECT_EQ(our_pasid(1 + last % 3)[2] & ~(page - 1), top);
        const u64 tops[] = {our_pasid(1 + (last + 1) % 3)[2], our_pasid(1 + (last + 2) % 3)[0]};
        for (const u64 found : tops) {
            ASSERT_NE(found & ~(page - 1), top) << last;
            EXPECT_EQ(below(below(below(in_ours(found & ~(page - 1)), 0), 0), 0)[0], 0U);
        }
        start_again();
    }
}

// The same of who passes through: nothing speaks against it.
TEST_P(Limits, CopiesNoDirectoryForWhoPassesThrough) {
    if (!scalable())
        return;
    for (const bool strict : {false, true}) {
        const Phys directory = table(), more = table();
        ASSERT_EQ(more.value, directory.value + page);
        give(0, 4, 4);
        word(directory, 0) = pasids_.value | 1;
        give(harmless(), 4);
        word(more, 3) = pasids_.value | 1;
        old(nic)[0] = directory.value | 3 << 9 | paside | 1;
        machine.unit.ecap |= pt;
        machine.unit.strict = strict;
        adopt();
        EXPECT_EQ(blocked(nic), strict);
        EXPECT_EQ(machine.unit.nr_unguarded, !strict);
        start_again();
    }
}

// A copy of a directory has one page.
TEST_P(Limits, CopiesOnePageOfADirectory) {
    if (!scalable())
        return;
    // What the first page leads to, and what the second does.
    for (const bool first_bad : {false, true})
        for (const int second : {0, 1, 2}) {
            const Phys directory = table(), more = table();
            ASSERT_EQ(more.value, directory.value + page);
            give(first_bad ? harmful() : harmless(), 4);
            const Phys first = pasids_;
            give(second == 2 ? harmful() : harmless(), 4);
            word(directory, 0) = first.value | 1;
            word(more, 3) = second ? pasids_.value | 1 : 0;
            old(nic)[0] = directory.value | 3 << 9 | paside | 1; // 1024 tables
            adopt();
            const bool both = first_bad && second;
            EXPECT_EQ(blocked(nic), both || second == 2);
            EXPECT_EQ(logged("its tables cannot be guarded (-7)"), both || second == 2);
            if (!first_bad && second < 2) {
                EXPECT_TRUE(same(ours(nic), old(nic)));
            }
            if (first_bad && !second) {
                EXPECT_EQ(ours(nic)[0] >> 9 & 7, 2U); // one page
                EXPECT_EQ(now(0), std::nullopt);
                EXPECT_EQ(now(page), good);
            }
            start_again();
        }
}

// Copies that were made for other ids are repaired where they are.
TEST_P(Limits, RepairsCopiesWithoutCopyingThem) {
    if (!scalable())
        return;
    give(harmful(), 4);
    old_pasid(0)[1] = TAKEOVER_DID_OF_DRIVER;
    adopt();
    EXPECT_EQ(machine.unit.nr_guard_pages, 4U); // of page tables
    EXPECT_EQ(machine.unit.nr_copies, 2U);
    EXPECT_EQ(now(0), std::nullopt);
    EXPECT_EQ(now(page), good);
}

// Forbidden memory is no place for a table, in old RAM or not.
TEST_P(Limits, KnowsNoTablesInForbiddenMemory) {
    const Phys two = table(), last = table();
    word(two, 0) = last.value | rw;
    word(last, 0) = good | rw;
    give(above(two), 4);
    takeover_forbid(last.value, last.value + page);
    adopt();
    EXPECT_EQ(now(0), std::nullopt);
    EXPECT_EQ(machine.unit.nr_cut, 1U);
    EXPECT_FALSE(blocked(nic));
    start_again();
    if (!scalable())
        return;
    forbid();
    for (const bool directory : {false, true}) {
        give(harmless(), 4);
        const Phys at = directory ? directory_ : pasids_;
        takeover_forbid(at.value, at.value + page);
        adopt();
        EXPECT_TRUE(blocked(nic));
        EXPECT_TRUE(logged("its tables cannot be guarded (-14)"));
        start_again();
    }
}

TEST_P(Limits, BlocksWhatItCannotRead) {
    const Phys two = table();
    word(two, 0) = good | large | rw;
    give(above(two), 4);
    machine.unmappable.insert(two);
    adopt();
    EXPECT_TRUE(blocked(nic));
    EXPECT_TRUE(logged("its tables cannot be guarded (-12)"));
    machine.unmappable.clear();
    start_again();
    if (!scalable())
        return;

    for (const bool pasids : {false, true})
        for (const bool directory : {false, true})
            for (const bool poison : {false, true}) {
                give(harmless(), 4);
                old(nic)[0] |= pasids ? paside : 0;
                const Phys at = directory ? directory_ : pasids_;
                at_last_read(
                    at, [&, at] { (poison ? machine.poisoned : machine.unmappable).insert(at); });
                // A stream of several that is gone is gone alone.
                const bool alone = !pasids || directory || !poison;
                EXPECT_EQ(blocked(nic), alone);
                EXPECT_EQ(logged(poison ? "cannot be guarded (-5)" : "cannot be guarded (-12)"),
                          alone);
                if (!alone) {
                    EXPECT_TRUE(silenced(in_ours(ours(nic)[0] & ~(page - 1))));
                }
                machine.poisoned.clear();
                machine.unmappable.clear();
                start_again();
            }
}

// A large page at the border is none if the unit does not have such pages, or not there.
TEST_P(Limits, MakesNoPageOfAFlawedOne) {
    const Phys top = table(), three = table(), two = table();
    word(top, 0) = three.value | rw;
    word(three, 0) = two.value | rw;
    word(three, 1) = (5 << 21) | large | rw; // not at its border
    word(two, 0) = large | rw;
    give(top.value, 4);
    for (const u64 without : {u64{0}, pages_2m, pages_1g}) {
        const u64 cap = machine.unit.cap;
        machine.unit.cap &= ~without;
        adopt();
        EXPECT_EQ(now(gib), std::nullopt);
        EXPECT_EQ(now(low_end), without == pages_2m ? std::nullopt : std::optional{low_end});
        EXPECT_EQ(now(low_end), before(low_end));
        EXPECT_EQ(now(0), std::nullopt);
        start_again();
        machine.unit.cap = cap;
    }
}

// 9.8: the memory type of a page is told by another bit if it is large.
TEST_P(Limits, KeepsTheMemoryTypeOfParts) {
    if (!scalable())
        return;
    for (const bool pat : {false, true}) {
        const u64 rights = 0x7 | large | (pat ? 1 << 12 : 0);
        const Phys top = table(), three = table();
        word(top, 0) = three.value | 7;
        word(three, 0) = rights;
        give(top.value, 4, 1);
        adopt();
        const u64* four = in_ours(our_pasid(0)[2] & ~(page - 1));
        const u64* two = below(below(four, 0), 0);
        EXPECT_EQ(two[100], u64{100} << 21 | rights);
        EXPECT_EQ(below(two, 0)[0x1ff], 0x1ff000 | 7 | (pat ? large : 0));
        EXPECT_EQ(below(two, 0)[0], 0U);
        EXPECT_EQ(now(0x1ff000), 0x1ff000U);
        start_again();
    }
}

// Of the identity table too; but there are no tables full of it for more than a gigabyte.
TEST_P(Limits, HasScratchPagesWhereAddressesAreLetThrough) {
    machine.unit.cap |= zlr;
    takeover_forbid(u64{1} << 39, u64{2} << 39);
    give(0, 4, 4);
    adopt();
    const auto written = [&](u64 at) {
        return target(walk(new_rtaddr(), at, model::Access::write), at);
    };
    EXPECT_EQ(written(crash_start), takeover_scratch_page());
    EXPECT_EQ(now(crash_start), std::nullopt);
    EXPECT_EQ(written(crash_start + (4 << 21)), takeover_scratch_page());
    EXPECT_EQ(written((u64{1} << 39) + 5 * gib), std::nullopt);
    EXPECT_EQ(written(good), good);
}

// What one device learnt is of use for the next, unless it was taken back.
TEST_P(Limits, KeepsTheIdentityTableOfOthers) {
    machine.budget(40);
    give(0, 4, 4);
    give(too_much(100), 4, 2, false, disk);
    give(0, 4, 4, false, sound);
    adopt();
    EXPECT_TRUE(blocked(disk));
    EXPECT_FALSE(blocked(sound));
    EXPECT_EQ(now(good), good);
    if (!scalable()) {
        EXPECT_EQ(ours(nic)[0] & ~(page - 1), ours(sound)[0] & ~(page - 1));
    }
}

// However many there are that do not fit, each gives back what it took.
TEST_P(Limits, GivesBackEachTime) {
    machine.budget(40);
    const u64 tables = too_much(100);
    constexpr unsigned devices = 20;
    for (unsigned n = 2; n < 2 + devices; n++)
        give(tables, 4, 2, false, Rid::of(0, n, 0));
    give(harmful(), 4, 2, false, disk);
    adopt();
    EXPECT_EQ(machine.unit.nr_dropped, devices);
    EXPECT_FALSE(blocked(disk));
    EXPECT_EQ(target(walk(new_rtaddr(), 0x1000, model::Access::read, false, disk), 0x1000), good);
    EXPECT_LE(machine.unit.nr_guard_pages, 8U);
}

// FLOOR: what nothing speaks against goes on as on stock, and the summary says so.
TEST_P(Limits, LetsGoOnWhatNothingSpeaksAgainst) {
    const auto goes_on = [&](const std::string& error, u64 iova,
                             const std::function<void()>& prepare) {
        const u64 cap = machine.unit.cap, ecap = machine.unit.ecap;
        machine.unit.strict = false;
        give(0, 4, 4);
        prepare();
        adopt();
        EXPECT_FALSE(blocked(nic));
        EXPECT_EQ(machine.unit.nr_unguarded, 1U);
        EXPECT_EQ(now(iova), good);
        // What was of no use to anybody was given back, but for a list of copies.
        EXPECT_LE(machine.unit.nr_guard_pages, machine.no_did ? 20U : 1U);
        ASSERT_EQ(takeover_install(&machine.unit), 0);
        EXPECT_TRUE(logged("1 devices pass through or are not guarded") &&
                    logged("kernel's memory (-" + error + ")"));
        start_again();
        machine.unit.cap = cap;
        machine.unit.ecap = ecap;
        machine.no_did = 0;
        machine.unmappable.clear();
    };
    goes_on("12", good, [&] {
        machine.unit.cap &= ~(pages_2m | pages_1g);
        machine.unit.cap |= zlr;
    });
    goes_on("28", good, [&] { machine.no_did = -ENOSPC; });
    if (scalable())
        goes_on("34", good, [&] { // a first stage has 47 bits
            machine.unit.ecap &= ~ssts;
            machine.unit.address_bits = 48;
        });
    if (scalable())
        goes_on("34", good, [&] { // the same of a unit that takes 64, for what it says
            machine.unit.ecap &= ~ssts;
            machine.unit.address_bits = 48;
            machine.unit.cap |= u64{63} << 16;
        });
    goes_on("12", 0, [&] {
        const u64 top = harmless();
        give(top, 4);
        machine.unmappable.insert({top});
    });
}

// Even if there is no memory to begin with; unless that is asked for.
TEST_P(Limits, LetsGoOnWithoutMemoryToLook) {
    for (const bool strict : {false, true}) {
        bool any = false;
        for (int pages = 0; pages < 24; pages++) {
            give(harmless(), 4);
            machine.unit.strict = strict;
            machine.allocations = pages;
            adopt();
            if (machine.unit.unguarded && machine.unit.nr_adopted) {
                any = true;
                EXPECT_FALSE(blocked(nic)) << pages;
                EXPECT_EQ(machine.unit.unguarded_error, -ENOMEM);
                EXPECT_EQ(machine.unit.nr_dropped, 0U);
            }
            machine.unit.unguarded = false;
            start_again();
        }
        EXPECT_EQ(any, !strict);
    }
}

// Of as many kinds of units as no machine has the last one goes without.
TEST_P(Limits, KnowsSomeKindsOfUnits) {
    machine.unit.strict = false;
    give(0, 4, 4);
    for (unsigned n = 0; n <= TAKEOVER_IDENTITIES; n++) {
        if (n)
            machine.next_unit();
        machine.unit.address_bits = 38 + n;
        adopt();
        EXPECT_FALSE(blocked(nic));
        EXPECT_EQ(machine.unit.nr_unguarded, n == TAKEOVER_IDENTITIES ? 1U : 0U);
    }
    // The first kind is still known.
    machine.next_unit();
    machine.unit.address_bits = 38;
    adopt();
    EXPECT_EQ(machine.unit.nr_unguarded, 0U);
    EXPECT_LE(machine.unit.nr_guard_pages, 4U);
}

// With no memory to remember tables the number of visits ends what would have no end: here as many
// as are allowed at least, since the machine has fewer pages.
TEST_P(Limits, VisitsOnlySoMuch) {
    const Phys top = table();
    for (unsigned at = 0; at < 512; at++)
        word(top, at) = top.value | rw;
    give(top.value, 5);
    give(harmless(), 4, 2, false, disk);
    machine.budget(11); // for buffers and a memo of no page
    machine.unit.strict = false;
    adopt();
    EXPECT_TRUE(blocked(nic));
    EXPECT_TRUE(logged("its tables cannot be guarded (-7)"));
    EXPECT_LE(machine.unit.nr_guarded, 65536U);
    EXPECT_EQ(machine.rests, machine.unit.nr_guarded);
    // Who comes after that is looked at all the same.
    EXPECT_FALSE(blocked(disk));
    EXPECT_EQ(machine.unit.nr_unguarded, 0U);
}

// Each takes half of what is left. The first four are to blame for that, the others for nothing:
// they go on as on stock, or are blocked if that is asked for.
TEST_P(Limits, VisitsOfManyWithoutEnd) {
    for (const bool strict : {false, true}) {
        const Phys top = table();
        for (unsigned at = 0; at < 512; at++)
            word(top, at) = top.value | rw;
        for (unsigned n = 0; n < 8; n++)
            give(top.value, 5, 2, false, Rid::of(0, 2, n));
        give(harmless(), 4, 2, false, disk);
        machine.budget(11);
        machine.unit.strict = strict;
        adopt();
        for (unsigned n = 0; n < 8; n++)
            EXPECT_EQ(blocked(Rid::of(0, 2, n)), n < 4 || strict) << n;
        EXPECT_EQ(machine.unit.nr_unguarded, strict ? 0U : 4U);
        EXPECT_FALSE(blocked(disk));
        start_again();
    }
}

// Units share what there is; however greedy each of them is, it leaves half to the others.
TEST_P(Limits, OfAllUnitsTogether) {
    machine.budget(100);
    give(too_much(5), 4);
    unsigned guarded = 0;
    for (unsigned n = 0; n < 33; n++) {
        const unsigned left = machine.pool.left;
        if (n)
            machine.next_unit();
        adopt();
        EXPECT_LE(machine.unit.nr_guard_pages, left / 2);
        EXPECT_EQ(machine.pool.left, left - machine.unit.nr_guard_pages);
        guarded += !blocked(nic);
        EXPECT_EQ(machine.unit.nr_guard_pages > 5, !blocked(nic));
    }
    EXPECT_GT(guarded, 10U);
    EXPECT_LT(guarded, 33U);
}

// What one unit lacks another may have: only what no unit could have is remembered.
TEST_P(Limits, AsksForMemoryOncePerUnit) {
    unsigned lacking = 0;
    for (unsigned tables = 0; tables < 40; tables++) {
        machine.budget(40);
        machine.unit.strict = false;
        give(too_much(tables), 4);
        give(0, 4, 4, false, sound);
        give(0, 4, 4, false, disk);
        adopt();
        if (!blocked(nic) && machine.unit.nr_unguarded) {
            lacking++;
            machine.budget(40);
            give(harmless(), 4);
            machine.next_unit();
            adopt();
            EXPECT_EQ(machine.unit.nr_unguarded, 0U);
            EXPECT_EQ(target(walk(new_rtaddr(), good, model::Access::read, false, sound), good),
                      good);
        }
        start_again();
    }
    EXPECT_GT(lacking, 0U);
}

// Tables with pages of 1 GiB, or with a scratch page, are no good for a unit without.
TEST_P(Limits, SharesIdentityTablesOnlyAmongUnitsOfAKind) {
    machine.populated = [](u64 start, u64) { return start < 4 * gib; };
    for (const auto& [bit, without] :
         {std::pair{pages_1g, false}, {pages_1g, true}, {zlr, false}, {zlr, true}}) {
        const u64 cap = machine.unit.cap | zlr;
        give(0, 4, 4);
        for (const bool has : {!without, without}) {
            if (has == without)
                machine.next_unit();
            machine.unit.cap = has ? cap : cap & ~bit;
            adopt();
            EXPECT_EQ(machine.unit.nr_unguarded, 0U);
            EXPECT_EQ(now(good), good);
            EXPECT_EQ(target(walk(new_rtaddr(), crash_start, model::Access::write), crash_start),
                      (machine.unit.cap & zlr) ? std::optional<u64>{takeover_scratch_page()}
                                               : std::nullopt);
        }
        machine.unit.cap = cap & ~zlr;
        start_again();
    }
}

// A page that leads into forbidden memory speaks against its device before there is a copy.
TEST_P(Limits, IsNotForgivingWithoutMemoryToSplit) {
    unsigned dropped = 0;
    for (unsigned pages = 7; pages < 20; pages++) {
        const Phys two = table();
        word(two, 0) = (crash_start & -(u64{1} << 21)) | large | rw;
        give(above(two), 4);
        machine.budget(pages);
        machine.unit.strict = false;
        adopt();
        if (!machine.unit.unguarded) {
            EXPECT_EQ(machine.unit.nr_unguarded, 0U) << pages;
            dropped += blocked(nic);
        }
        machine.unit.unguarded = false;
        start_again();
    }
    EXPECT_GT(dropped, 0U);
}

// As many copies as there are numbers for.
TEST_P(Limits, CopiesOnlySoMuch) {
    machine.budget(100000);
    const Phys three = table(), top = table();
    word(top, 0) = three.value | rw;
    for (unsigned n = 0; n < 5; n++) {
        const Phys two = table();
        word(three, n) = two.value | rw;
        for (unsigned at = 0; at < 500; at++) {
            const Phys last = table();
            word(two, at) = last.value | rw;
            word(last, 0) = crash_start | rw;
            word(last, 1) = good | rw;
        }
    }
    refused("12", [&] { give(top.value, 4); });
}

// All of a table's pages are this kernel's: nothing is left of it, or a table that all such have.
TEST_P(Limits, CopiesNothingOfWhichNothingIsLeft) {
    for (const bool has_zlr : {false, true}) {
        const Phys two = table(), last = table(), partly = table();
        word(two, 0) = last.value | rw;
        word(two, 1) = partly.value | rw;
        word(two, 2) = last.value | 1; // nobody wrote by this one
        for (unsigned at = 0; at < 512; at++) {
            word(last, at) = (crash_start + at * page) | rw;
            word(partly, at) = (crash_start + at * page) | (at ? rw : 1); // a page is for readers
        }
        machine.unit.cap = (machine.unit.cap & ~zlr) | (has_zlr ? zlr : 0);
        give(above(two), 4);
        adopt();
        EXPECT_EQ(machine.unit.nr_dropped, 0U);
        for (const u64 iova : {u64{0}, page, 511 * page, 513 * page}) {
            EXPECT_EQ(now(iova), std::nullopt);
            EXPECT_EQ(target(walk(new_rtaddr(), iova, model::Access::write), iova),
                      has_zlr ? std::optional<u64>{takeover_scratch_page()} : std::nullopt);
        }
        for (const u64 iova : {512 * page, 1024 * page})
            EXPECT_EQ(target(walk(new_rtaddr(), iova, model::Access::write), iova), std::nullopt);
        // The way there, and with a scratch page the table that is not all of it.
        EXPECT_EQ(machine.unit.nr_guard_pages, 3U + has_zlr + (scalable() ? 2 : 0));
        start_again();
    }
}

// A function that this kernel does not see may have a device-TLB, if its entry says so.
TEST_P(Limits, AsksFunctionsThatItDoesNotSee) {
    if (!scalable())
        return;
    for (const bool pasids : {false, true}) {
        give(harmful(), 4);
        old(nic)[0] |= 1 << 2 | (pasids ? paside : 0); // DTE
        adopt();
        ASSERT_EQ(takeover_install(&machine.unit), 0);
        EXPECT_FALSE(blocked(nic));
        EXPECT_GT(std::ranges::count(ops(), Op::InvDevtlb), 0);
        EXPECT_EQ(std::ranges::count(ops(), Op::InvDevtlbPasids) > 0, pasids);
        start_again();
    }
}

// Beyond 2^46 a table in place of none covers what there is.
TEST_P(Limits, CoversWindowsFarUp) {
    constexpr u64 window = u64{1} << 47;
    machine.populated = [](u64 start, u64 size) {
        return start < u64{1} << 40 || (start < window + gib && start + size > window);
    };
    machine.unit.address_bits = 48;
    give(0, 4, 4);
    takeover_snapshot(&machine.unit);
    adopt();
    EXPECT_EQ(machine.unit.nr_unguarded, 0U);
    for (const u64 at : {(u64{1} << 46) - page, window, window + gib - page})
        EXPECT_EQ(now(at), at);
    EXPECT_EQ(now(u64{1} << 46), std::nullopt);
    EXPECT_EQ(now(window - page), std::nullopt);
    EXPECT_EQ(now(crash_start), std::nullopt);
}

// Visits are bounded by what RAM there was; if that is not known, by a number.
TEST_P(Limits, MachinesOfAnySize) {
    for (const u64 size : {u64{0}, ram_size, gib, u64{1} << 40}) {
        std::vector<std::pair<Phys, u64>> ranges;
        if (size)
            ranges.emplace_back(old_root, size);
        machine.write_elfcorehdr(header, ranges);
        machine.add_old_ram(old_root, ram_size);
        forbid();
        takeover_forbid(header.value, header.value + page);
        EXPECT_EQ(takeover_oldmem_learn(header.value), size ? 0 : -EINVAL);
        give(harmless(), 4);
        give(0, 4, 4, false, disk);
        machine.unit.address_bits = 47;
        machine.populated = [](u64, u64) { return false; };
        adopt();
        EXPECT_EQ(now(0), good);
        EXPECT_FALSE(blocked(disk));
        // Where it is not known what is RAM all of it may be.
        constexpr u64 far = u64{1} << 46;
        EXPECT_EQ(target(walk(new_rtaddr(), far, model::Access::read, false, disk), far),
                  size ? std::nullopt : std::optional{far});
        start_again();
    }
    const std::array ranges{std::pair{old_root, ram_size}};
    machine.write_elfcorehdr(header, ranges);
    EXPECT_EQ(takeover_oldmem_learn(header.value), 0);
}

// Some of its ids cannot be read, and hardware may go by them still: nobody gets another one.
TEST_P(Limits, NeedsToKnowAllIds) {
    machine.unit.strict = false;
    machine.poisoned.insert(table_of_bus_3);
    give(0, 4, 4);
    adopt();
    EXPECT_EQ(machine.unit.nr_unguarded, 1U);
    EXPECT_EQ(machine.unit.unguarded_error, -ENODATA);
    EXPECT_EQ(now(crash_start), crash_start);
}

// Any page that is asked for may be the one that there is not.
TEST_P(Limits, ShieldsWithWhatMemoryThereIs) {
    const Phys top = table(), three = table(), two = table(), last = table();
    word(top, 0) = three.value | rw;
    word(three, 0) = large | rw;
    word(three, 1) = two.value | rw;
    word(two, 0) = last.value | rw;
    word(last, 9) = crash_start | rw;
    word(last, 10) = good | rw;
    give(top.value, 4);
    if (scalable()) {
        old(nic)[0] |= paside;
        old_pasid(1)[0] = 4 << 6 | 2 << 2 | 1;
        old_pasid(1)[1] = TAKEOVER_DID_OF_DRIVER;
    }
    give(0, 4, 4, false, disk);
    give(harmless(), 4, 2, false, sound);

    int left = 0;
    for (int pages = 0; !left; pages++) {
        ASSERT_LT(pages, 1000);
        start_again();
        machine.allocations = pages;
        adopt();
        left = machine.allocations.value_or(0) > 0;
        if (!machine.unit.root)
            continue;
        for (const Rid rid : {nic, disk, sound})
            for (const u64 at : {u64{0}, low_end - page, low_end, crash_start - page, crash_start,
                                 crash_end - page, crash_end, good + 9 * page, good + 10 * page})
                ASSERT_FALSE(reaches_forbidden(rid, at)) << pages << ' ' << std::hex << at;
    }
    EXPECT_EQ(now(good + 10 * page), good);
    EXPECT_EQ(now(crash_start), std::nullopt);
    EXPECT_EQ(now(low_end), low_end);
}

INSTANTIATE_TEST_SUITE_P(Modes, Limits, testing::Values(Mode::Legacy, Mode::Scalable));

} // namespace
