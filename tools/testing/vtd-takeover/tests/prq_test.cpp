// SPDX-License-Identifier: GPL-2.0-only
//
// The old page-request queue, with a unit that is a register file: what is written to it and in
// which order, what is submitted, and what of the old memory is read. Who waits for what is the
// model's to say: tests/page_world_test.cpp.

#include <algorithm>
#include <array>
#include <string_view>
#include <vector>

#include <gtest/gtest.h>

#include "harness/machine.h"

using namespace vtd;

namespace {

constexpr Phys queue{0x10004000}, header{0x2a000000};
constexpr u64 ram_start = 0x10000000, ram_size = 0x1000000;
constexpr u64 new_queue = 0x40000000; // and its size in pages as a power of two
constexpr u64 prs = 1ULL << 29, pds = 1ULL << 42;
constexpr u64 requester = 0x1234, pasid = 0x5a5a5;

// Words of a request; of a group's last unless it says otherwise.
struct Request {
    u64 low = 1 | 1 << 8 | requester << 16 | pasid << 32;
    u64 high = 1 | 1 << 2 | 0x155 << 3 | 0xabc000;
};

class OldQueue : public testing::Test {
protected:
    OldQueue() {
        machine.unit.ecap = prs | pds;
        machine.gsts = 0x80000000;
        const std::array ranges{std::pair{Phys{ram_start}, ram_size}};
        machine.write_elfcorehdr(header, ranges);
        EXPECT_EQ(takeover_oldmem_learn(header.value), 0);
        for (u64 at = 0; at < 0x2000; at += 0x1000)
            machine.old_page({queue.value + at});
        machine.pqa = queue.value;
        machine.reads = 0;
    }

    void put(u64 at, const Request& request) {
        Page& page = machine.old_page({queue.value + (at & ~0xfffULL)});
        page[at % 4096 / 8] = request.low;
        page[at % 4096 / 8 + 1] = request.high;
        page[at % 4096 / 8 + 2] = page[at % 4096 / 8 + 3] = ~0ULL; // of no meaning
    }
    void put_at(u64 first, const std::vector<Request>& requests, u64 size = 0x1000) {
        machine.pqh = machine.pqt = first;
        for (const Request& request : requests) {
            put(machine.pqt, request);
            machine.pqt = (machine.pqt + 32) % size;
        }
    }

    void switch_to(u64 pqa) {
        machine.events.clear();
        machine.log.clear();
        takeover_switch_pages(&machine.unit, pqa);
        EXPECT_EQ(machine.pqa, pqa);
        EXPECT_EQ(machine.pqh, machine.pqt) << "empty";
    }

    std::vector<Op> ops() const {
        std::vector<Op> found;
        for (const Event& event : machine.events)
            found.push_back(event.op);
        return found;
    }
    std::vector<std::pair<u64, u64>> answers() const {
        std::vector<std::pair<u64, u64>> found;
        for (const Event& event : machine.events)
            if (event.op == Op::Submit && (event.value & 0xf) == 9)
                found.emplace_back(event.value, event.high);
        return found;
    }
    bool logged(std::string_view part) const {
        for (const std::string& line : machine.log)
            if (line.find(part) != line.npos)
                return true;
        return false;
    }

    Machine machine;
};

constexpr u64 answer_low = 9 | 1 << 4 | 1 << 12 | requester << 16 | pasid << 32;
constexpr u64 answer_high = 0x155 << 3;

// 6.5.2, 7.7, 11.4: the head is where it was until all is answered, then the queue is full, then
// drained and looked at again; nothing is told anew before, nothing let in before the end.
TEST_F(OldQueue, IsFullWhileItIsChanged) {
    put_at(0x40, {{}});
    switch_to(new_queue);
    EXPECT_EQ(ops(), (std::vector{Op::Submit, Op::WritePqh, Op::Submit, Op::WritePrs, Op::WritePqa,
                                  Op::WritePqh, Op::WritePrs}));
    EXPECT_EQ(machine.events[0].value, answer_low);
    EXPECT_EQ(machine.events[0].high, answer_high);
    EXPECT_EQ(machine.events[1].value, 0x80U);
    EXPECT_EQ(machine.events[2].value, 5U | 1 << 6 | 1 << 7);
    EXPECT_EQ(machine.events[2].high, 0U);
    EXPECT_EQ(machine.events[3].value, 1U);
    EXPECT_EQ(machine.events[5].value, 0x60U);
    EXPECT_EQ(machine.events[6].value, 2U);
    EXPECT_TRUE(logged("dmar0: 1 page requests answered that the crashed kernel left"));
    EXPECT_EQ(machine.log.size(), 1U);
}

// Without ECAP.PDS the bit is reserved, and the unit would stop its queue.
TEST_F(OldQueue, IsNotDrainedByAUnitThatCannot) {
    machine.unit.ecap = prs;
    switch_to(new_queue);
    EXPECT_EQ(ops(),
              (std::vector{Op::WritePqh, Op::WritePrs, Op::WritePqa, Op::WritePqh, Op::WritePrs}));
    EXPECT_TRUE(machine.log.empty());
}

TEST_F(OldQueue, AGroupIsAnsweredAtItsLast) {
    put_at(0, {{.high = 1}, {.high = 2}, {}});
    switch_to(new_queue);
    EXPECT_EQ(answers(), (std::vector{std::pair{answer_low, answer_high}}));
}

TEST_F(OldQueue, AStopMarkerAsksForNothing) {
    put_at(0, {{.high = 1 << 2}});
    switch_to(new_queue);
    EXPECT_TRUE(answers().empty());
}

// There are none without PASID.
TEST_F(OldQueue, WithoutPasid) {
    put_at(0, {{.low = 1 | requester << 16 | pasid << 32},
               {.low = 1 | requester << 16, .high = 1 << 2},
               {.high = 2 | 1 << 2}});
    switch_to(new_queue);
    EXPECT_EQ(answers(),
              (std::vector{std::pair<u64, u64>{9 | 1 << 12 | requester << 16, answer_high},
                           {9 | 1 << 12 | requester << 16, 0},
                           {answer_low, 0}}));
}

// Private data, bits that no revision knows, and what is no request at all.
TEST_F(OldQueue, AnEntryThatNobodyWrote) {
    put_at(0, {{.low = Request{}.low | 0xfe00 | 0x3ffULL << 54},
               {.low = Request{}.low & ~1ULL},
               {.low = Request{}.low | 2}});
    switch_to(new_queue);
    EXPECT_EQ(answers(), (std::vector{std::pair{answer_low, answer_high}}));
}

TEST_F(OldQueue, GoesRound) {
    machine.pqa = queue.value | 1;
    put_at(0x1fc0, {{}, {}, {.high = 1}, {}}, 0x2000);
    switch_to(new_queue | 1);
    EXPECT_EQ(answers().size(), 3U);
    EXPECT_EQ(machine.pqh, 0x40U);
}

// Just before the queue is full: it is empty then, as the unit sees it, and takes on.
TEST_F(OldQueue, WhatComesWhileItIsRead) {
    unsigned looks = 0;
    put_at(0, {{}});
    machine.on_pqt = [&] {
        if (++looks == 2 || looks == 3) {
            put(machine.pqt, {.high = Request{}.high + (looks << 3)});
            machine.pqt += 32;
        }
    };
    switch_to(new_queue);
    EXPECT_EQ(answers(), (std::vector{std::pair{answer_low, answer_high},
                                      {answer_low, answer_high + (2 << 3)},
                                      {answer_low, answer_high + (3 << 3)}}));
    EXPECT_EQ(machine.pqh, 0x60U);
}

TEST_F(OldQueue, OfAnotherSize) {
    for (const u64 order : {0U, 1U, 7U}) { // ours is larger, or the tail is within it
        machine.pqa = queue.value;
        put_at(0xfe0, {{}, {}});
        switch_to(new_queue | order);
        EXPECT_EQ(answers().size(), 2U);
        EXPECT_EQ(machine.pqh, 0x20U);
    }
    machine.pqa = queue.value | 1;
    put_at(0xfc0, {{}}, 0x2000);
    switch_to(new_queue);
    EXPECT_EQ(machine.pqh, 0xfe0U);
    // Beyond the end of ours, full at 0 before the unit sees the new address.
    machine.pqa = queue.value | 1;
    put_at(0xfe0, {{}}, 0x2000);
    switch_to(new_queue);
    EXPECT_EQ(answers().size(), 1U);
    EXPECT_EQ(ops(), (std::vector{Op::Submit, Op::WritePqh, Op::Submit, Op::WritePrs, Op::WritePqh,
                                  Op::WritePqt, Op::WritePqa, Op::WritePqh, Op::WritePrs}));
    EXPECT_EQ(machine.events[4].value, 0x20U);
    EXPECT_EQ(machine.pqh, 0U);
    EXPECT_EQ(machine.log.size(), 1U);
}

TEST_F(OldQueue, ThatCannotBeBelieved) {
    const u64 end = ram_start + ram_size;
    put_at(0, {{}});
    for (const u64 pqa : {u64{0xfed90000}, end, end - 0x1000 + 1, header.value & ~0xfffULL}) {
        machine.pqa = pqa;
        machine.pqh = 0x20;
        machine.pqt = 0x7ffe0;
        machine.reads = 0;
        switch_to(new_queue);
        EXPECT_EQ(machine.reads, 0U);
        EXPECT_EQ(ops(), (std::vector{Op::WritePrs, Op::WritePqh, Op::WritePqt, Op::WritePqa,
                                      Op::WritePqh, Op::WritePrs}));
        EXPECT_TRUE(logged("not emptied (-14)"));
    }
    for (const auto& [head, tail] : {std::pair{0x1000U, 0U}, {0U, 0x1000U}, {0x7ffe0U, 0x7ffe0U}}) {
        machine.pqa = queue.value;
        machine.pqh = head;
        machine.pqt = tail;
        switch_to(new_queue);
        EXPECT_TRUE(answers().empty());
        EXPECT_EQ(machine.pqh, 0U);
        EXPECT_TRUE(logged("page-request queue at 0x10004000 not emptied (-34)"));
        EXPECT_EQ(machine.log.size(), 1U);
    }
}

TEST_F(OldQueue, ThatNobodyMade) {
    machine.pqa = 7;
    machine.pqh = 0x100;
    switch_to(new_queue);
    EXPECT_EQ(machine.pqh, 0U);
    EXPECT_TRUE(machine.log.empty());
}

// The largest there is, in the last pages of RAM; bits of head and tail that mean nothing.
TEST_F(OldQueue, AsLargeAsCanBe) {
    const u64 start = ram_start + ram_size - 0x80000;
    machine.pqa = start | 7 | 0xff8;
    machine.old_page({start});
    machine.old_page({start + 0x7f000})[511 - 3] = Request{}.low;
    machine.old_page({start + 0x7f000})[511 - 2] = Request{}.high;
    machine.pqh = 0x7ffff | ~0x7ffffULL;
    machine.pqt = 0x1f | ~0x7ffffULL;
    takeover_switch_pages(&machine.unit, new_queue | 7);
    EXPECT_EQ(answers().size(), 1U);
    EXPECT_EQ(machine.pqh, 0U);
}

// Poison is run into once.
TEST_F(OldQueue, WhatCannotBeRead) {
    machine.pqa = queue.value | 1;
    machine.poisoned.insert(queue);
    put_at(0x1fe0, {{}, {}, {}, {}}, 0x2000);
    switch_to(new_queue | 1);
    EXPECT_EQ(answers().size(), 1U);
    EXPECT_EQ(machine.reads, 2U);
    EXPECT_TRUE(logged("3 page requests not read"));
    EXPECT_EQ(machine.pqh, 0x60U);
}

TEST_F(OldQueue, ADeviceThatAsksWhateverItIsTold) {
    machine.on_pqt = [&] {
        put(machine.pqt, {});
        machine.pqt = (machine.pqt + 32) % 0x1000;
    };
    machine.events.clear();
    takeover_switch_pages(&machine.unit, new_queue);
    EXPECT_EQ(answers().size(), 2U * 128);
    EXPECT_EQ(machine.reads, 2U * 128);
    EXPECT_EQ(machine.pqa, new_queue);
    EXPECT_EQ(machine.pqt, 0U);
    EXPECT_TRUE(logged("not emptied (-16)"));
}

TEST_F(OldQueue, AnInvalidationQueueThatDoesNotWork) {
    machine.submits = -ENODEV;
    put_at(0, {{}, {}, {}});
    switch_to(new_queue);
    EXPECT_EQ(answers().size(), 1U); // and not tried again
    EXPECT_TRUE(logged("not emptied (-19)"));
    EXPECT_FALSE(logged("answered"));
    EXPECT_EQ(machine.log.size(), 1U);
}

// Nobody would come back from waiting for it.
TEST_F(OldQueue, AUnitThatIsDead) {
    machine.unit.state = TAKEOVER_DEAD;
    put_at(0, {{}, {}});
    switch_to(new_queue);
    EXPECT_EQ(std::ranges::count(ops(), Op::Submit), 0);
    EXPECT_TRUE(logged("not emptied (-110)"));
}

TEST_F(OldQueue, ItsEventIsMaskedFirst) {
    takeover_snapshot(&machine.unit);
    EXPECT_EQ(ops(), (std::vector{Op::WriteFectl, Op::WritePectl}));
    EXPECT_EQ(machine.events[1].value, 1U << 31);
    machine.events.clear();
    machine.unit.ecap = 0; // no such register
    takeover_snapshot(&machine.unit);
    EXPECT_EQ(ops(), (std::vector{Op::WriteFectl}));
}

} // namespace
