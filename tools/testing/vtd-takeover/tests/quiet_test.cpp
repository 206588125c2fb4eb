// SPDX-License-Identifier: GPL-2.0-only
//
// Requesters that fault: what the takeover hears, when it goes deaf, and what it asks of the unit
// to silence one of them, in order.

#include "tests/dead_machine.h"

using namespace vtd;

namespace {

constexpr unsigned faults_of_one = 4;
constexpr unsigned burst = 64;
constexpr unsigned record = 0x200;

class Quiet : public DeadMachine {
protected:
    // A fault of a requester is in the record; true: the handler leaves it.
    bool hear(Rid rid, u8 reason = 6) {
        machine.fault_records[record] = 0x7000;
        machine.fault_records[record + 8] = 1ULL << 63 | u64{reason} << 32 | rid.value;
        return takeover_hear_fault(&machine.unit, record);
    }
    void hear_enough(Rid rid, u8 reason = 6) {
        for (unsigned i = 0; i < faults_of_one; i++)
            EXPECT_FALSE(hear(rid, reason));
        EXPECT_TRUE(machine.unit.deaf);
    }
    void quiet() {
        takeover_quiet(&machine.unit);
        takeover_hear_again(&machine.unit);
    }
    u64 first(Rid rid) {
        const auto entry = ours(rid);
        return entry.empty() ? 0 : entry[0];
    }
};

TEST_P(Quiet, GoesDeafWhenItHasHeardEnough) {
    adopt_and_install();
    for (unsigned i = 1; i < faults_of_one; i++) {
        EXPECT_FALSE(hear(nic));
        EXPECT_FALSE(machine.unit.deaf);
    }
    EXPECT_FALSE(hear(nic)); // this one is still handled
    EXPECT_TRUE(machine.unit.deaf);
    EXPECT_TRUE(hear(nic)); // what follows is left
    EXPECT_TRUE(hear(disk));
    EXPECT_TRUE(ops().empty()); // the handler changes nothing
    EXPECT_EQ(first(nic), old(nic)[0]);
}

TEST_P(Quiet, SilencesAnAdoptedEntryInOrder) {
    adopt_and_install();
    hear_enough(nic);
    machine.events.clear();
    machine.watched = ours(nic).data();
    takeover_quiet(&machine.unit);
    EXPECT_EQ(first(nic), old(nic)[0] | 2);
    EXPECT_TRUE(same(ours(nic).subspan(1), old(nic).subspan(1)));
    std::vector expected{Op::FlushLines, Op::FlushWriteBuffer, Op::InvContext, Op::InvContext};
    if (scalable())
        expected.insert(expected.end(), {Op::InvPasidAll, Op::InvIotlbAll});
    else
        expected.push_back(Op::InvIotlbDomain);
    EXPECT_EQ(ops(), expected);
    for (const Event& event : machine.events)
        EXPECT_EQ(event.entry, old(nic)[0] | 2); // written before all of it
    for (const unsigned at : {2U, 3U})
        EXPECT_EQ(machine.events[at].rid, nic);
    EXPECT_EQ(machine.events[2].did, Did{0});
    EXPECT_EQ(machine.events[3].did, scalable() ? Did{0} : shared);
    EXPECT_EQ(lines("dmar0: 00:01.0: it faults again and again, reason 0x6"), 1U);
    for (const Rid rid : {disk, sound, bridge_alias})
        EXPECT_TRUE(same(ours(rid), old(rid)));
    EXPECT_EQ(held(), all_rids);

    EXPECT_TRUE(machine.unit.deaf);
    takeover_hear_again(&machine.unit);
    EXPECT_FALSE(machine.unit.deaf);
    EXPECT_FALSE(hear(disk));
}

TEST_P(Quiet, FaultsFromBeforeTheSilenceChangeNothing) {
    adopt_and_install();
    hear_enough(nic);
    quiet();
    hear_enough(nic);
    machine.events.clear();
    takeover_quiet(&machine.unit);
    EXPECT_TRUE(ops().empty());
    EXPECT_EQ(machine.unit.nr_silenced, 1U);
    EXPECT_EQ(lines("again and again"), 1U);
}

TEST_P(Quiet, BlocksAnEntryWithReservedBits) {
    for (const u8 reason : {u8{0x0b}, u8{0x42}}) {
        start_again();
        adopt_and_install();
        hear_enough(nic, reason);
        takeover_quiet(&machine.unit);
        EXPECT_EQ(first(nic), (old(nic)[0] & ~1ULL) | 2);
        EXPECT_TRUE(takeover_holds_rid(&machine.unit, nic.value));
        device dev{{nic.value}};
        EXPECT_EQ(takeover_release_device(&machine.unit, &dev), 1);
        EXPECT_EQ(first(nic), 0U);
    }
}

TEST_P(Quiet, BlocksARequesterWithoutAnEntry) {
    adopt_and_install();
    const Rid nobody = Rid::of(0, 2, 0);
    hear_enough(nobody);
    machine.events.clear();
    takeover_quiet(&machine.unit);
    EXPECT_TRUE(blocked(nobody));
    EXPECT_EQ(ops(), (std::vector{Op::FlushLines, Op::FlushWriteBuffer, Op::InvContext}));
    EXPECT_EQ(machine.events[2].rid, nobody);
    EXPECT_EQ(machine.events[2].did, Did{0});
    EXPECT_EQ(held().size(), all_rids.size() + 1);
}

TEST_P(Quiet, BlocksARequesterWithoutATable) {
    for (const Rid nobody : {Rid::of(7, 2, 0), Rid::of(7, 30, 3)}) {
        start_again();
        adopt_and_install();
        const auto before = machine.live_tables;
        hear_enough(nobody);
        machine.events.clear();
        takeover_quiet(&machine.unit);
        EXPECT_TRUE(blocked(nobody));
        EXPECT_EQ(machine.live_tables, before + 1);
        // The table is whole before the root entry leads to it, and that before the entry.
        EXPECT_EQ(ops(), (std::vector{Op::FlushLines, Op::FlushWriteBuffer, Op::FlushLines,
                                      Op::FlushLines, Op::FlushWriteBuffer, Op::InvContext}));
        EXPECT_EQ(machine.events[0].size, 4096U);
        EXPECT_EQ(machine.events[2].value,
                  reinterpret_cast<uintptr_t>(takeover_root_word(&machine.unit, nobody.value)));
        EXPECT_EQ(held().size(), all_rids.size() + 1); // nobody else on that bus
    }
}

TEST_P(Quiet, WithoutMemoryItTriesAgain) {
    adopt_and_install();
    const Rid nobody = Rid::of(7, 2, 0);
    machine.allocations = 0;
    hear_enough(nobody);
    quiet();
    EXPECT_TRUE(ours(nobody).empty());
    EXPECT_EQ(machine.unit.nr_silenced, 0U);
    EXPECT_EQ(lines("again and again"), 0U);
    machine.allocations.reset();
    hear_enough(nobody);
    quiet();
    EXPECT_TRUE(blocked(nobody));
}

// Neither a driver's entry nor anything before our root table can be silenced; nor does a fault of
// an interrupt tell of an entry. All of them count.
TEST_P(Quiet, CountsWhatItCannotSilence) {
    const auto expect_burst = [&](Rid rid, u8 reason) {
        for (unsigned i = 1; i < burst; i++) {
            EXPECT_FALSE(hear(rid, reason));
            ASSERT_FALSE(machine.unit.deaf) << i;
        }
        EXPECT_FALSE(hear(rid, reason));
        EXPECT_TRUE(machine.unit.deaf);
        EXPECT_TRUE(hear(rid, reason));
        machine.events.clear();
        takeover_quiet(&machine.unit);
        EXPECT_TRUE(ops().empty());
        takeover_hear_again(&machine.unit);
        EXPECT_EQ(machine.unit.nr_silenced, 0U);
    };
    adopt();
    expect_burst(nic, 6);
    ASSERT_EQ(takeover_install(&machine.unit), 0);
    for (const u8 reason : {u8{0x20}, u8{0x22}, u8{0x2f}})
        expect_burst(nic, reason);
    device dev{{nic.value}};
    takeover_release_device(&machine.unit, &dev);
    u64* entry = takeover_context_entry(&machine.unit, nic.value);
    entry[0] = 0x5001;
    expect_burst(nic, 6);
    EXPECT_EQ(entry[0], 0x5001U);
}

// Released between the fault that was one too many and the work.
TEST_P(Quiet, LeavesAReleasedEntryAlone) {
    adopt_and_install();
    hear_enough(nic);
    device dev{{nic.value}};
    takeover_release_device(&machine.unit, &dev);
    u64* entry = takeover_context_entry(&machine.unit, nic.value);
    entry[0] = 0x5001;
    machine.events.clear();
    takeover_quiet(&machine.unit);
    EXPECT_EQ(entry[0], 0x5001U);
    EXPECT_TRUE(ops().empty());
    EXPECT_EQ(machine.unit.nr_silenced, 0U);
}

// More than there are places: the newcomer goes on where the quietest was.
TEST_P(Quiet, HearsACrowd) {
    adopt_and_install();
    constexpr unsigned crowd = 50;
    unsigned heard = 0;
    std::vector<unsigned> faults(crowd);
    for (unsigned silenced = 0; silenced < crowd && heard < 1000;
         silenced = machine.unit.nr_silenced) {
        for (unsigned i = 0; i < crowd; i++) {
            const Rid rid = Rid::of(0, i / 8 + 3, i % 8);
            if (blocked(rid))
                continue;
            EXPECT_FALSE(hear(rid));
            heard++;
            if (machine.unit.deaf)
                quiet();
        }
    }
    EXPECT_LE(heard, crowd * faults_of_one + TAKEOVER_NOISY * (faults_of_one - 1));
    EXPECT_EQ(machine.unit.nr_silenced, crowd);
    EXPECT_EQ(lines("it faults again and again"), TAKEOVER_REPORTS_MAX);
    EXPECT_EQ(lines("more devices fault again and again, and are not named"), 1U);
}

TEST_P(Quiet, AfterTheUnitFailedNothingIsWritten) {
    adopt();
    machine.answers = false;
    EXPECT_LT(takeover_install(&machine.unit), 0);
    for (unsigned i = 0; i < burst; i++)
        hear(nic);
    EXPECT_TRUE(machine.unit.deaf);
    machine.events.clear();
    quiet();
    EXPECT_TRUE(same(ours(nic), old(nic)));
}

INSTANTIATE_TEST_SUITE_P(Modes, Quiet, testing::Values(Mode::Legacy, Mode::Scalable),
                         [](const auto& info) {
                             return info.param == Mode::Legacy ? "Legacy" : "Scalable";
                         });

} // namespace
