// SPDX-License-Identifier: GPL-2.0-only
//
// 6.5: invalidation as software gives it: by registers, and by the queue with all its descriptors,
// errors and devices that do not answer. What a command removes is caches_test.cpp's subject; here
// it is enough to see that the right one was carried out, or none.

#include "tests/units.h"

namespace {

using namespace vtd::test;

// As software writes them: what is not named is 0.
constexpr u64 context_all = 1 | 1 << 4, iotlb_all = 2 | 1 << 4;
constexpr u64 status_data(u64 value) { return value << 32; }
constexpr u64 wait_status = 5 | 1 << 5, wait_interrupt = 5 | 1 << 4;

class Queue : public WithUnit {
protected:
    explicit Queue(const Capabilities& can = legacy_unit) : WithUnit(can) {}

    // One descriptor alone; why it stopped the queue, if it did.
    QueueError alone(u64 low, u64 high = 0, u64 third = 0) {
        command_complete(command::translation);
        unit.write32(reg::fsts, fault_status::iqe | fault_status::ite);
        unit.write64(reg::iqt, 0);
        queue_on();
        describe(0, low, high);
        if (third)
            memory.store(queue + 16, third);
        settle();
        submit(1);
        const bool stopped = unit.read32(reg::fsts) & fault_status::iqe;
        EXPECT_EQ(done(), stopped ? 0U : 1U);
        return stopped ? static_cast<QueueError>(unit.read64(reg::iqercd) & 0xf) : QueueError::none;
    }
};

class ScalableQueue : public Queue {
protected:
    ScalableQueue() : Queue(scalable_unit) {}

    static PageLine line(u16 did, std::optional<Pasid> pasid, u64 at, unsigned bits = page_bits) {
        const auto stage = pasid ? Table::first_stage : Table::second_stage;
        return {{{did}, pasid, stage},
                {at},
                {.address = page, .page_bits = bits, .read = true, .did = {did}}};
    }
    static WalkLine walk(u16 did, std::optional<Pasid> pasid, u64 base, unsigned level) {
        return {{{did}, pasid, Table::first_stage}, {base}, {tables[0], level}};
    }
};

TEST_F(Queue, IsCarriedOutInOrder) {
    reach();
    clear();
    queue_on();
    describe(0, 1 | 3 << 4 | u64{5} << 16 | u64{nic.value} << 32);
    describe(1, 2 | 2 << 4 | u64{5} << 16);
    describe(2, wait_status | status_data(0xabcd), status.value);
    submit(3);
    EXPECT_EQ(done(), 3U);
    EXPECT_EQ(memory.load(status), 0xabcdU);
    EXPECT_TRUE(reach().empty() && unit.caches().pages.empty());
    EXPECT_TRUE(unit.misuse.empty());
    unit.write64(reg::ccmd, go | u64{1} << 61);
    EXPECT_EQ(unit.misuse.size(), 1U);
    unit.write64(iotlb_at + 8, go | u64{1} << 60);
    EXPECT_EQ(unit.misuse.size(), 2U);
}

TEST_F(Queue, DescriptorsThatDoNotMatchRemoveNothing) {
    reach();
    EXPECT_EQ(alone(1 | 3 << 4 | u64{6} << 16 | u64{nic.value} << 32), QueueError::none);
    EXPECT_EQ(alone(1 | 3 << 4 | u64{5} << 16 | u64{disk.value} << 32), QueueError::none);
    EXPECT_EQ(alone(1 | 2 << 4 | u64{6} << 16), QueueError::none);
    EXPECT_FALSE(unit.caches().contexts.empty());
    EXPECT_EQ(alone(1 | 2 << 4 | u64{5} << 16), QueueError::none);
    EXPECT_TRUE(unit.caches().contexts.empty());
    reach();
    EXPECT_EQ(alone(context_all), QueueError::none);
    EXPECT_TRUE(unit.caches().contexts.empty());
    EXPECT_EQ(alone(2 | 2 << 4 | u64{6} << 16), QueueError::none);
    EXPECT_EQ(alone(2 | 3 << 4 | u64{5} << 16, 0x8000'0000), QueueError::none);
    EXPECT_FALSE(unit.caches().pages.empty());
    EXPECT_FALSE(unit.caches().walks.empty());
    EXPECT_EQ(alone(2 | 3 << 4 | u64{5} << 16, iova.value | 1 << 6), QueueError::none);
    EXPECT_TRUE(unit.caches().pages.empty());
    EXPECT_FALSE(unit.caches().walks.empty()); // the hint said that they are good
    EXPECT_EQ(alone(iotlb_all), QueueError::none);
    EXPECT_TRUE(unit.caches().walks.empty());
}

TEST_F(Queue, StopsAtAnError) {
    queue_on();
    describe(0, 0xf);
    describe(1, iotlb_all);
    reach();
    submit(2);
    EXPECT_EQ(done(), 0U);
    EXPECT_EQ(unit.read32(reg::fsts), fault_status::iqe);
    EXPECT_EQ(unit.read64(reg::iqercd), static_cast<u64>(QueueError::type));
    describe(0, iotlb_all);
    EXPECT_EQ(done(), 0U);
    EXPECT_FALSE(unit.caches().pages.empty());
    unit.write32(reg::fsts, fault_status::iqe);
    EXPECT_TRUE(unit.caches().pages.empty()); // by itself
    EXPECT_EQ(done(), 2U);
}

TEST_F(Queue, WhatADescriptorMustNotBe) {
    EXPECT_EQ(alone(0), QueueError::type);
    EXPECT_EQ(alone(10), QueueError::type);
    EXPECT_EQ(alone(iotlb_all | 1 << 9), QueueError::type); // the upper bits of the type
    for (const u64 scalable_only : {6 | 2 << 4, 7 | 3 << 4, 8, 9})
        EXPECT_EQ(alone(scalable_only), QueueError::type) << scalable_only;
    for (const u64 nothing : {u64{1}, u64{2}})
        EXPECT_EQ(alone(nothing), QueueError::reserved) << nothing;
    const std::pair<u64, u64> reserved[] = {
        {context_all | 1 << 6, 0},
        {context_all | 1 << 12, 0},
        {context_all | bit(50), 0},
        {context_all, 1},
        {iotlb_all | 1 << 8, 0},
        {iotlb_all | bit(32), 0},
        {iotlb_all, 1 << 7},
        {3 | 1 << 4, 0},
        {3 | 1 << 21, 0},
        {3 | bit(48), 0},
        {3, 1 << 1},
        {4 | 1 << 5, 0},
        {4 | 1 << 12, 0},
        {4 | bit(48), 0},
        {4, 1},
        {wait_status | 1 << 7, status.value}, // without ECAP.PDS
        {wait_status | 1 << 8, status.value},
        {wait_status | 1 << 12, status.value},
        {wait_status, status.value | 1},
    };
    for (const auto& [low, high] : reserved)
        EXPECT_EQ(alone(low, high), QueueError::reserved) << std::hex << low << ' ' << high;
    for (const auto& [low, high] : {std::pair{context_all | bit(32), u64{0}},
                                    {iotlb_all | 3 << 6, iova.value | 1 << 6},
                                    {u64{3} | 0x1f << 16 | 0xf << 12 | bit(63), ~u64{0xfff} | 1},
                                    {u64{4}, u64{0}},
                                    {wait_status | 1 << 6, status.value | 4}})
        EXPECT_EQ(alone(low, high), QueueError::none) << std::hex << low;
}

TEST_F(Queue, BlocksThatAreTooLarge) {
    constexpr u64 pages = 2 | 3 << 4 | u64{5} << 16;
    EXPECT_EQ(alone(pages, 9), QueueError::none); // MAMV
    EXPECT_EQ(alone(pages, 10), QueueError::reserved);
    EXPECT_EQ(alone(4 | 1 << 4 | u64{4} << 27), QueueError::none); // MHMV
    EXPECT_EQ(alone(4 | 1 << 4 | u64{5} << 27), QueueError::reserved);
}

TEST_F(Queue, NoMemoryWhereItShouldBe) {
    unit.write64(reg::iqa, ram.value + ram_size);
    command_complete(command::translation | command::qie);
    submit(1);
    EXPECT_EQ(unit.read32(reg::fsts), fault_status::iqe);
    EXPECT_EQ(unit.read64(reg::iqercd), static_cast<u64>(QueueError::fetch));
}

TEST_F(Queue, ATailThatIsNone) {
    queue_on();
    unit.write32(reg::iqt, 0x1000);
    EXPECT_EQ(unit.read64(reg::iqercd), static_cast<u64>(QueueError::tail));
    EXPECT_EQ(unit.misuse, std::vector<std::string>{"the tail is beyond the queue"});
    unit.write32(reg::iqt, 0);
    unit.write32(reg::fsts, fault_status::iqe);
    unit.write32(reg::iqt, 8);
    EXPECT_EQ(unit.read64(reg::iqercd), static_cast<u64>(QueueError::misaligned));
    EXPECT_EQ(unit.misuse.back(), "the tail is within a descriptor");
}

TEST_F(Queue, GoesRoundAndIsAsLargeAsItSays) {
    unit.write64(reg::iqa, queue.value | 1); // two pages
    command_complete(command::translation | command::qie);
    describe(0, iotlb_all);
    for (unsigned i = 0; i < 511; i++)
        describe(i, 5);
    describe(511, wait_status | status_data(1), status.value + 0x1000);
    submit(511);
    EXPECT_EQ(done(), 511U);
    submit(1);
    EXPECT_EQ(done(), 1U);
    EXPECT_EQ(memory.load(status + 0x1000), 1U);
    EXPECT_TRUE(unit.misuse.empty());
}

TEST_F(Queue, IsSwitchedOnAndOffAtItsStart) {
    queue_on();
    describe(0, 5);
    submit(1);
    EXPECT_EQ(done(), 1U);
    unit.write64(reg::iqa, queue.value);
    EXPECT_EQ(unit.read64(reg::iqa), queue.value);
    EXPECT_EQ(unit.misuse, std::vector<std::string>{"the queue is moved while it is on"});
    command_complete(command::translation);
    EXPECT_EQ(done(), 0U);
    command_complete(command::translation | command::qie);
    EXPECT_EQ(unit.misuse.back(), "the queue is switched on with a tail that is not 0");
}

TEST_F(Queue, IsReadAsItIsSeen) {
    Capabilities can = legacy_unit;
    can.ecap &= ~u64{1}; // C
    Unit far(can, memory);
    far.leave(command::translation, root_table.value);
    far.explore({.rid = nic, .iova = iova});
    describe(0, 5);
    far.write64(reg::iqa, queue.value);
    far.write32(reg::gcmd, command::translation | command::qie);
    far.read32(reg::gsts);
    memory.store(queue, iotlb_all); // and not flushed
    far.write32(reg::iqt, 16);
    EXPECT_EQ(far.read32(reg::iqh), 16U);
    EXPECT_FALSE(far.caches().pages.empty());
}

TEST_F(Queue, AWaitTellsByAStore) {
    memory.store(status, ~u64{0});
    EXPECT_EQ(alone(wait_status | status_data(7), status.value + 4), QueueError::none);
    EXPECT_EQ(memory.load(status), 0x7'ffff'ffffU); // the other half stays
    EXPECT_EQ(memory.by_hardware(),
              (std::vector<HardwareStore>{{Writer::wait_status, status, ~u64{0}, 0x7'ffff'ffff}}));
    EXPECT_TRUE(unit.misuse.empty());
    EXPECT_EQ(alone(wait_status, ram.value + ram_size), QueueError::none);
    EXPECT_EQ(unit.misuse.size(), 1U);
}

TEST_F(Queue, AWaitTellsByAnInterrupt) {
    unit.write32(reg::iectl + Event::data, 0x55);
    unit.write32(reg::iectl + Event::address, 0xfee01000);
    unit.write32(reg::iectl + Event::upper, 2);
    EXPECT_EQ(alone(wait_interrupt), QueueError::none);
    EXPECT_EQ(unit.read32(reg::ics), 1U);
    EXPECT_EQ(unit.read32(reg::iectl), event_control::im | event_control::ip);
    const auto& sent = unit.invalidation().event.sent;
    EXPECT_TRUE(sent.empty());
    unit.write32(reg::iectl, 0);
    EXPECT_EQ(sent, (std::vector<Message>{{0x2'fee0'1000, 0x55}}));
    EXPECT_EQ(alone(wait_interrupt), QueueError::none);
    EXPECT_EQ(sent.size(), 1U); // software has not dealt with the first
    unit.write32(reg::ics, 1);
    EXPECT_EQ(unit.read32(reg::ics), 0U);
    EXPECT_EQ(alone(wait_interrupt), QueueError::none);
    EXPECT_EQ(sent.size(), 2U);
    unit.write32(reg::ics, 1);
    unit.write32(reg::iectl, event_control::im);
    EXPECT_EQ(alone(wait_interrupt), QueueError::none);
    unit.write32(reg::ics, 1);
    EXPECT_EQ(unit.read32(reg::iectl), event_control::im); // dealt with before it was sent
}

TEST_F(Queue, ThatHangsHoldsUpWhatFollows) {
    queue_on();
    reach();
    unit.invalidation().moves = false;
    describe(0, iotlb_all);
    submit(1);
    EXPECT_EQ(done(), 0U);
    EXPECT_FALSE(unit.caches().pages.empty());
}

// The crashed kernel had given these and did not see them done.
TEST_F(Queue, OfADeadKernelGoesOn) {
    reach();
    describe(0, context_all);
    describe(1, 5);
    describe(2, iotlb_all);
    unit.leave(command::translation | command::srtp | command::qie, root_table.value);
    unit.invalidation().leave(queue.value, 16, 3 * 16);
    unit.invalidation().pace = 1;
    EXPECT_EQ(unit.read64(reg::iqt), 3 * 16U);
    EXPECT_EQ(done(), 2U);
    EXPECT_FALSE(unit.caches().contexts.empty()); // that was done with
    EXPECT_FALSE(unit.caches().pages.empty());
    EXPECT_EQ(done(), 3U);
    EXPECT_TRUE(unit.caches().pages.empty());
    EXPECT_TRUE(unit.misuse.empty());
}

TEST_F(Queue, MovesWhoeverLooks) {
    queue_on();
    for (unsigned i = 0; i < 4; i++)
        describe(i, 5);
    unit.invalidation().pace = 1;
    submit(4);
    EXPECT_EQ(unit.read64(reg::iqt), 4 * 16U);
    EXPECT_EQ(unit.invalidation().head(), 16U);
    const auto moves = unit.moves();
    unit.read32(reg::gsts);
    EXPECT_EQ(unit.invalidation().head(), 32U);
    unit.read32(reg::fsts);
    EXPECT_EQ(unit.invalidation().head(), 48U);
    unit.read32(reg::ics);
    EXPECT_EQ(unit.invalidation().head(), 64U);
    EXPECT_EQ(unit.moves(), moves + 3);
}

class SilentDevice : public Queue {
protected:
    SilentDevice() {
        unit.silent.insert(disk);
        queue_on();
        unit.caches().devices = {
            {disk, {}, {0x1000}, {.address = page, .read = true}},
        };
        describe(0, 3 | u64{disk.value} << 32, 0x1000);
        describe(1, wait_status | status_data(1), status.value);
        describe(2, wait_status | status_data(2), status.value + 8);
    }
};

TEST_F(SilentDevice, TakesTheWaitWithIt) {
    submit(3);
    EXPECT_EQ(unit.read32(reg::fsts), fault_status::ite);
    EXPECT_EQ(done(), 2U); // beyond the wait, which never completes
    EXPECT_EQ(unit.invalidation().aborted, 1U);
    EXPECT_EQ(memory.load(status), 0U);
    EXPECT_EQ(unit.read64(reg::iqercd), u64{disk.value} << 32);
    unit.write32(reg::fsts, fault_status::ite);
    EXPECT_EQ(done(), 3U);
    EXPECT_EQ(memory.load(status), 0U);
    EXPECT_EQ(memory.load(status + 8), 2U);
    EXPECT_EQ(unit.caches().devices.size(), 1U); // it may have what it had
}

TEST_F(SilentDevice, OrIsGivenUpBeforeTheWait) {
    unit.invalidation().patience = Patience::before_wait;
    submit(3);
    EXPECT_EQ(unit.read32(reg::fsts), fault_status::ite);
    EXPECT_EQ(done(), 1U);
    unit.write32(reg::fsts, fault_status::ite);
    EXPECT_EQ(done(), 3U);
    EXPECT_EQ(memory.load(status), 1U);
}

TEST_F(SilentDevice, OrIsWaitedForAndAnswersInTheEnd) {
    unit.invalidation().patience = Patience::endless;
    submit(3);
    EXPECT_EQ(done(), 1U);
    EXPECT_EQ(unit.read32(reg::fsts), 0U);
    EXPECT_EQ(unit.caches().devices.size(), 1U);
    unit.silent.clear();
    EXPECT_EQ(done(), 3U);
    EXPECT_TRUE(unit.caches().devices.empty());
    EXPECT_EQ(memory.load(status), 1U);
}

// Whether it answers later is not known to anybody: its line may stay.
TEST_F(SilentDevice, IsNotWaitedForByTheNextQueue) {
    unit.invalidation().patience = Patience::endless;
    submit(3);
    command_complete(command::translation);
    unit.silent.clear();
    unit.write64(reg::iqt, 0);
    queue_on();
    describe(0, 5);
    submit(1);
    EXPECT_EQ(done(), 1U);
    EXPECT_EQ(unit.caches().devices.size(), 1U);
}

TEST_F(SilentDevice, IsGivenUpWithoutAWait) {
    submit(1);
    EXPECT_EQ(done(), 1U);
    EXPECT_EQ(unit.read32(reg::fsts), fault_status::ite);
}

TEST_F(SilentDevice, AnAnswerToNothingIsAnErrorByItself) {
    unit.silent.clear();
    unit.invalidation().unexpected_answer(disk);
    EXPECT_EQ(unit.read32(reg::fsts), fault_status::ice);
    EXPECT_EQ(unit.read64(reg::iqercd), u64{disk.value} << 48);
    submit(3);
    EXPECT_EQ(done(), 3U); // it stops nothing
    unit.write32(reg::fsts, fault_status::ice);
    EXPECT_EQ(unit.read32(reg::fsts), 0U);
}

TEST_F(ScalableQueue, NeedsWideDescriptors) {
    unit.write64(reg::iqa, queue.value);
    command_complete(command::translation | command::qie);
    unit.write32(reg::iqt, 16);
    EXPECT_EQ(unit.read64(reg::iqercd), static_cast<u64>(QueueError::width));
    EXPECT_EQ(alone(iotlb_all), QueueError::none);
    EXPECT_EQ(alone(iotlb_all, 0, 1), QueueError::reserved); // the third word
    unit.write32(reg::iqt, 16);
    EXPECT_EQ(unit.misuse.back(), "the tail is within a descriptor");
}

TEST_F(Queue, WideDescriptorsNeedAUnitThatHasThem) {
    unit.write64(reg::iqa, queue.value | 1 << 11);
    command_complete(command::translation | command::qie);
    unit.write32(reg::iqt, 32);
    EXPECT_EQ(unit.read64(reg::iqercd), static_cast<u64>(QueueError::width));
}

TEST_F(ScalableQueue, RegistersAreNotForIt) {
    unit.write64(reg::ccmd, go | u64{1} << 61);
    EXPECT_EQ(unit.misuse,
              std::vector<std::string>{"a register-based invalidation in scalable mode"});
}

// Type 6 removes what a PASID's first stage has yielded, as exactly as it is asked to.
TEST_F(ScalableQueue, PagesOfAPasid) {
    constexpr u64 of = u64{5} << 16 | u64{7} << 32;
    const std::set all{line(5, Pasid{7}, 0x1000),       line(5, Pasid{7}, 0x8000),
                       line(5, Pasid{7}, 0x200000, 21), line(5, Pasid{8}, 0x1000),
                       line(6, Pasid{7}, 0x1000),       line(5, {}, 0x1000)};
    const std::set walks{walk(5, Pasid{7}, 0, 1), walk(5, Pasid{7}, 0x400000, 1),
                         walk(5, Pasid{8}, 0, 1)};
    const auto left = [&](u64 low, u64 high) {
        unit.caches().pages = all;
        unit.caches().walks = walks;
        EXPECT_EQ(alone(6 | low | of, high), QueueError::none);
        return std::pair{all.size() - unit.caches().pages.size(),
                         walks.size() - unit.caches().walks.size()};
    };
    using Gone = std::pair<std::size_t, std::size_t>;
    EXPECT_EQ(left(2 << 4, 0), (Gone{3, 2}));
    EXPECT_EQ(left(3 << 4, 0x1000), (Gone{1, 1}));
    EXPECT_EQ(left(3 << 4, 0x1000 | 1 << 6), (Gone{1, 0}));
    EXPECT_EQ(left(3 << 4, 0x8000 | 4), (Gone{2, 1})); // 16 pages, from 0
    EXPECT_EQ(left(3 << 4, 0x2ff000), (Gone{1, 0}));   // within a large page
    EXPECT_EQ(left(3 << 4, 0x9000), (Gone{0, 1}));
    for (const u64 nothing : {0 << 4, 1 << 4})
        EXPECT_EQ(alone(6 | nothing | of), QueueError::reserved);
    EXPECT_EQ(alone(6 | 2 << 4 | of, 0x1000), QueueError::reserved);
    EXPECT_EQ(alone(6 | 3 << 4 | of, 10), QueueError::reserved); // MAMV
}

TEST_F(ScalableQueue, PagesOfAPasidWithoutPsi) {
    Unit coarse({.cap = legacy_unit.cap & ~bit(39), .ecap = scalable_unit.ecap}, memory);
    coarse.leave(command::translation, root_table.value | 1 << 10);
    coarse.caches().pages = {line(5, Pasid{7}, 0x1000), line(5, Pasid{8}, 0x1000)};
    coarse.write64(reg::iqa, queue.value | 1 << 11);
    coarse.write32(reg::gcmd, command::translation | command::qie);
    coarse.read32(reg::gsts);
    describe(0, 6 | 3 << 4 | u64{5} << 16 | u64{7} << 32, 0x8000);
    coarse.write32(reg::iqt, 32);
    EXPECT_EQ(coarse.caches().pages, std::set{line(5, Pasid{8}, 0x1000)});
}

TEST_F(ScalableQueue, EntriesOfPasids) {
    const std::set<PasidLine> all{
        {nic, {7}, {5}, {}}, {disk, {7}, {5}, {}}, {nic, {8}, {5}, {}}, {nic, {7}, {6}, {}}};
    const auto left = [&](u64 low) {
        unit.caches().pasids = all;
        EXPECT_EQ(alone(7 | low), QueueError::none);
        return unit.caches().pasids.size();
    };
    EXPECT_EQ(left(0 << 4 | u64{5} << 16), 1U);
    EXPECT_EQ(left(1 << 4 | u64{5} << 16 | u64{7} << 32), 2U);
    EXPECT_EQ(left(3 << 4), 0U);
    EXPECT_EQ(alone(7 | 2 << 4), QueueError::reserved);
    EXPECT_EQ(alone(7 | 3 << 4, 1), QueueError::reserved);
}

TEST_F(ScalableQueue, DeviceTlbsByPasid) {
    const auto kept = [](Rid rid, std::optional<Pasid> pasid, u64 at) {
        return DeviceLine{rid, pasid, {at}, {.address = page, .read = true}};
    };
    const std::set all{kept(nic, {}, 0x1000), kept(nic, Pasid{7}, 0x1000),
                       kept(nic, Pasid{7}, 0x8000), kept(nic, Pasid{8}, 0x1000),
                       kept(disk, Pasid{7}, 0x1000)};
    const auto gone = [&](u64 low, u64 high) {
        unit.caches().devices = all;
        EXPECT_EQ(alone(low, high), QueueError::none);
        std::set<DeviceLine> found;
        std::ranges::set_difference(all, unit.caches().devices, std::inserter(found, found.end()));
        return found;
    };
    constexpr u64 everything = ~u64{0xfff};
    constexpr u64 without = 3 | u64{nic.value} << 32,
                  with = 8 | u64{nic.value} << 16 | u64{7} << 32;
    EXPECT_EQ(gone(without, everything | 1), std::set{kept(nic, {}, 0x1000)});
    EXPECT_EQ(gone(without, 0x1000), std::set{kept(nic, {}, 0x1000)});
    EXPECT_EQ(gone(without, 0x2000), std::set<DeviceLine>{});
    EXPECT_EQ(gone(with, 0x1000), std::set{kept(nic, Pasid{7}, 0x1000)});
    EXPECT_EQ(gone(with, everything | 1 << 11),
              (std::set{kept(nic, Pasid{7}, 0x1000), kept(nic, Pasid{7}, 0x8000)}));
    EXPECT_EQ(gone(with, 0x7000 | 1 << 11), // 16 pages, from 0
              (std::set{kept(nic, Pasid{7}, 0x1000), kept(nic, Pasid{7}, 0x8000)}));
    EXPECT_EQ(gone(with, 0x3000 | 1 << 11), std::set{kept(nic, Pasid{7}, 0x1000)});
    EXPECT_EQ(gone(with, everything | 1 << 11 | 1), // of all PASIDs
              (std::set{kept(nic, Pasid{7}, 0x1000), kept(nic, Pasid{7}, 0x8000),
                        kept(nic, Pasid{8}, 0x1000)}));
    EXPECT_EQ(alone(with, 1 << 10), QueueError::reserved);
}

// A write buffer, and caches that go with a new table.
class WithBuffer : public WithUnit {
protected:
    WithBuffer()
        : buffered({.cap = legacy_unit.cap | bit(4) | bit(62) | bit(63), .ecap = legacy_unit.ecap},
                   memory) {
        buffered.leave(command::translation | command::srtp, root_table.value);
    }
    void send(u32 value) {
        buffered.write32(reg::gcmd, value);
        buffered.read32(reg::gsts);
    }
    Unit buffered;
};

class ByRegister : public WithUnit {};

TEST_F(ByRegister, ADomainOrAll) {
    const auto left = [&](unsigned at, u64 value) {
        reach();
        unit.write64(at, go | value);
        return std::pair{!unit.caches().contexts.empty(), !unit.caches().pages.empty()};
    };
    using Left = std::pair<bool, bool>;
    EXPECT_EQ(left(reg::ccmd, u64{2} << 61 | 6), (Left{true, true}));
    EXPECT_EQ(left(reg::ccmd, u64{2} << 61 | 5), (Left{false, true}));
    EXPECT_EQ(left(reg::ccmd, u64{1} << 61 | 6), (Left{false, true}));
    EXPECT_EQ(left(iotlb_at + 8, u64{2} << 60 | u64{6} << 32), (Left{true, true}));
    EXPECT_EQ(left(iotlb_at + 8, u64{2} << 60 | u64{5} << 32), (Left{true, false}));
    EXPECT_EQ(left(iotlb_at + 8, u64{1} << 60 | u64{6} << 32), (Left{true, false}));
    EXPECT_TRUE(unit.misuse.empty());
    unit.write64(reg::ccmd, go);
    unit.write64(iotlb_at + 8, go);
    EXPECT_EQ(unit.misuse.size(), 2U);
}

TEST_F(ByRegister, SaysWhatItDid) {
    unit.write64(reg::ccmd, go | u64{2} << 61 | 5);
    EXPECT_EQ(unit.read64(reg::ccmd), u64{2} << 61 | u64{2} << 59 | 5);
    unit.write64(iotlb_at, iova.value | 9);
    unit.write64(iotlb_at + 8, go | u64{3} << 60);
    EXPECT_EQ(unit.read64(iotlb_at + 8), u64{3} << 60 | u64{3} << 57);
    EXPECT_EQ(unit.read64(iotlb_at), iova.value | 9);
    unit.write64(iotlb_at, iova.value | 10); // MAMV
    unit.write64(iotlb_at + 8, go | u64{3} << 60);
    EXPECT_EQ(unit.read64(iotlb_at + 8), u64{3} << 60 | u64{2} << 57);
    EXPECT_TRUE(unit.misuse.empty());
}

// 6.5.1.2: a unit that cannot be that exact removes more.
TEST_F(ByRegister, WithoutPsiADomainGoesAtOnce) {
    Capabilities can = legacy_unit;
    can.cap &= ~(bit(39) | u64{0x3f} << 48);
    Unit coarse(can, memory);
    coarse.leave(command::translation, root_table.value);
    coarse.explore({.rid = nic, .iova = iova});
    coarse.write64(iotlb_at, iova.value + 0x100000);
    coarse.write64(iotlb_at + 8, go | u64{3} << 60 | u64{6} << 32);
    EXPECT_FALSE(coarse.caches().pages.empty());
    coarse.write64(iotlb_at + 8, go | u64{3} << 60 | u64{5} << 32);
    EXPECT_TRUE(coarse.caches().pages.empty());
    EXPECT_EQ(Field({0, 58, 57}).in(coarse.read64(iotlb_at + 8)), 2U);
    reach();
    unit.write64(iotlb_at, iova.value + 0x100000);
    unit.write64(iotlb_at + 8, go | u64{3} << 60 | u64{5} << 32);
    EXPECT_FALSE(unit.caches().pages.empty());
}

// 6.8: whatever invalidates drains the write buffer before.
TEST_F(WithBuffer, EveryInvalidationDrainsIt) {
    const Hpa word{page};
    const auto stale = [&] { return memory.seen(word, buffered.capabilities()).size() > 1; };
    u64 value = 0;
    const auto drains = [&](const auto& what) {
        memory.store(word, ++value);
        memory.flush(word, 8);
        EXPECT_TRUE(stale());
        what();
        EXPECT_FALSE(stale());
    };
    drains([&] { buffered.write64(reg::ccmd, go | u64{1} << 61); });
    drains([&] { buffered.write64(iotlb_at + 8, go | u64{1} << 60); });
    drains([&] { send(command::translation | command::wbf); });
    drains([&] { send(command::translation | command::srtp); });
    drains([&] { send(command::translation | command::sirtp); });
    buffered.write64(reg::iqa, queue.value);
    send(command::translation | command::qie);
    memory.store(queue, iotlb_all);
    settle();
    drains([&] { buffered.write32(reg::iqt, 16); });
    EXPECT_TRUE(buffered.misuse.empty());
}

} // namespace
