// SPDX-License-Identifier: GPL-2.0-only
//
// 7.4 to 7.6: page requests, from the device to the queue in memory and back.

#include "tests/units.h"

namespace {

using namespace vtd::test;

class PageQueue : public WithUnit {
protected:
    PageQueue() : WithUnit(scalable_unit) { unit.write64(reg::pqa, page_queue.value); }

    static PageRequest asked(u16 group = 1, bool last = true, Rid rid = nic) {
        return {.rid = rid, .pasid = Pasid{7}, .address = iova, .last = last, .group = group};
    }
    void answer(u64 low, u64 high) {
        command_complete(command::translation);
        unit.write64(reg::iqt, 0);
        queue_on();
        describe(0, 9 | low, high);
        submit(1);
        EXPECT_EQ(done(), 1U);
    }
    static constexpr u64 to_nic = u64{nic.value} << 16 | u64{7} << 32 | 1 << 4;
    u64 prs() { return unit.read32(reg::prs); }
};

TEST_F(PageQueue, ARequestIsPutInMemory) {
    PageRequest request = asked(0x1ab);
    request.write = request.execute = request.privileged = true;
    ASSERT_TRUE(unit.ask(request));
    EXPECT_EQ(unit.read64(reg::pqt), 32U);
    EXPECT_EQ(unit.read64(reg::pqh), 0U);
    EXPECT_EQ(unit.read64(reg::pqa), page_queue.value);
    EXPECT_EQ(memory.load(page_queue),
              1 | 1 << 8 | u64{nic.value} << 16 | u64{7} << 32 | u64{3} << 52);
    EXPECT_EQ(memory.load(page_queue + 8), 1 | 2 | 4 | 0x1ab << 3 | iova.value);
    EXPECT_EQ(memory.by_hardware().size(), 4U);
    for (const HardwareStore& store : memory.by_hardware())
        EXPECT_EQ(store.writer, Writer::page_request);
    request = {.rid = disk, .address = {0x1000}, .read = false, .last = false};
    ASSERT_TRUE(unit.ask(request));
    EXPECT_EQ(memory.load(page_queue + 32), 1 | u64{disk.value} << 16);
    EXPECT_EQ(memory.load(page_queue + 40), 0x1000U);
    EXPECT_EQ(unit.read32(reg::pqt), 64U);
}

TEST_F(PageQueue, SoftwareIsToldOfWholeGroups) {
    unit.write32(reg::pectl + Event::data, 0x33);
    unit.write32(reg::pectl, 0);
    unit.ask(asked(1, false));
    EXPECT_EQ(prs(), 0U);
    unit.ask(asked(1, true));
    EXPECT_EQ(prs(), page_request_status::ppr);
    unit.ask(asked(2));
    EXPECT_EQ(unit.pages().event.sent, (std::vector<Message>{{0, 0x33}}));
    unit.write32(reg::prs, page_request_status::ppr);
    EXPECT_EQ(prs(), 0U);
    unit.write32(reg::pectl, event_control::im);
    unit.ask(asked(3));
    EXPECT_EQ(unit.read32(reg::pectl), event_control::im | event_control::ip);
    unit.write32(reg::prs, page_request_status::ppr);
    EXPECT_EQ(unit.read32(reg::pectl), event_control::im);
    EXPECT_EQ(unit.pages().event.sent.size(), 1U);
}

TEST_F(PageQueue, AnAnswerIsThatOfAGroup) {
    unit.ask(asked(1, false));
    unit.ask(asked(1));
    unit.ask(asked(2));
    unit.ask(asked(1, true, disk));
    PageRequest plain = asked(1);
    plain.pasid.reset();
    unit.ask(plain);
    EXPECT_EQ(unit.pages().outstanding(nic).size(), 4U);
    answer(to_nic, 1 << 3);
    EXPECT_EQ(unit.pages().outstanding(nic), (std::vector<PageRequest>{asked(2), plain}));
    answer(u64{nic.value} << 16 | 1 << 12, 1 << 3);
    EXPECT_EQ(unit.pages().outstanding(nic), std::vector<PageRequest>{asked(2)});
    EXPECT_EQ(unit.pages().responses.back(),
              (GroupResponse{.rid = nic, .group = 1, .code = Response::invalid}));
    EXPECT_EQ(unit.pages().outstanding().size(), 2U);
    EXPECT_TRUE(unit.pages().unexpected.empty());
    answer(to_nic | 0xf << 12, 5 << 3);
    EXPECT_EQ(unit.pages().unexpected,
              (std::vector<GroupResponse>{
                  {.rid = nic, .pasid = Pasid{7}, .group = 5, .code = Response::failure}}));
}

TEST_F(PageQueue, ReservedBitsOfAnAnswer) {
    for (const auto& [low, high] : {std::pair{bit(5), u64{0}},
                                    {bit(8), u64{0}},
                                    {bit(52), u64{0}},
                                    {u64{0}, u64{1}},
                                    {u64{0}, bit(12)}}) {
        command_complete(command::translation);
        unit.write64(reg::iqt, 0);
        unit.write32(reg::fsts, fault_status::iqe);
        queue_on();
        describe(0, 9 | low, high);
        submit(1);
        EXPECT_EQ(unit.read64(reg::iqercd), static_cast<u64>(QueueError::reserved));
        EXPECT_EQ(done(), 0U);
    }
    for (const u64 word : {16, 24}) { // private data
        command_complete(command::translation);
        unit.write64(reg::iqt, 0);
        unit.write32(reg::fsts, fault_status::iqe);
        queue_on();
        describe(0, 9 | to_nic);
        memory.store(queue + word, 1);
        settle();
        submit(1);
        EXPECT_EQ(done(), 0U);
    }
    EXPECT_TRUE(unit.pages().responses.empty());
}

TEST_F(PageQueue, OverflowsWhenItIsFull) {
    constexpr unsigned entries = page_size / 32;
    for (unsigned i = 0; i < entries - 1; i++)
        ASSERT_TRUE(unit.ask(asked(static_cast<u16>(i))));
    EXPECT_EQ(prs(), page_request_status::ppr);
    EXPECT_EQ(unit.pages().outstanding().size(), entries - 1);
    const auto stores = memory.by_hardware().size();

    unit.ask(asked(0x1ff, false));
    EXPECT_EQ(prs(), page_request_status::ppr | page_request_status::pro);
    EXPECT_TRUE(unit.pages().responses.empty()); // not the last of its group
    EXPECT_EQ(unit.pages().outstanding().size(), entries);
    unit.ask(asked(0x1ff));
    EXPECT_EQ(unit.pages().responses,
              (std::vector<GroupResponse>{{nic, Pasid{7}, 0x1ff, Response::success, true}}));
    EXPECT_EQ(unit.pages().outstanding().size(), entries - 1);
    EXPECT_EQ(unit.pages().lost.size(), 2U);

    unit.write64(reg::pqh, unit.read64(reg::pqt)); // room alone does not help
    unit.ask(asked(0x1fe));
    EXPECT_EQ(unit.pages().responses.size(), 2U);
    EXPECT_EQ(memory.by_hardware().size(), stores);
    unit.write32(reg::prs, page_request_status::pro);
    unit.ask(asked(0x1fd));
    EXPECT_EQ(unit.pages().responses.size(), 2U);
    EXPECT_EQ(memory.by_hardware().size(), stores + 4);
    EXPECT_EQ(unit.read64(reg::pqt), 0U); // round
}

// 7.10: what was received gets there by then, and there is room for what was let in.
TEST_F(PageQueue, WhatIsOnTheWayComesWhenItIsDrained) {
    Unit drains({.cap = scalable_unit.cap, .ecap = scalable_unit.ecap | bit(42)}, memory);
    drains.write64(reg::pqa, page_queue.value);
    drains.write64(reg::pqh, 0x60); // room for two
    PageRequests& pages = drains.pages();
    pages.receive(asked(1));
    pages.receive(asked(2));
    EXPECT_EQ(pages.tail(), 0U);
    EXPECT_EQ(drains.invalidation().run({5 | 1 << 6, 0, 0, 0}), QueueError::none);
    EXPECT_EQ(pages.tail(), 0U);
    pages.receive(asked(3));
    EXPECT_EQ(pages.lost, std::vector{asked(3)});
    EXPECT_EQ(drains.invalidation().run({5 | 1 << 7, 0, 0, 0}), QueueError::none);
    EXPECT_EQ(pages.tail(), 64U);
    EXPECT_EQ(memory.load(page_queue + 40) & 0xff8, 2U << 3);
    EXPECT_EQ(pages.status(), page_request_status::ppr | page_request_status::pro);
    EXPECT_EQ(unit.invalidation().run({5 | 1 << 7, 0, 0, 0}), QueueError::reserved);
}

TEST_F(PageQueue, IsAsLargeAsItSays) {
    unit.write64(reg::pqa, page_queue.value | 1);
    unit.write64(reg::pqt, 0x1fe0);
    unit.write64(reg::pqh, 0x1fe0);
    unit.ask(asked());
    EXPECT_EQ(unit.read64(reg::pqt), 0U);
    EXPECT_EQ(memory.load(page_queue + 0x1fe0) & 0xff, 1U);
    EXPECT_TRUE(unit.misuse.empty());
    unit.write64(reg::pqh, 0x2000);
    unit.write64(reg::pqh, 0x10);
    EXPECT_EQ(unit.misuse.size(), 2U);
}

TEST_F(PageQueue, NoMemoryWhereItShouldBe) {
    unit.write64(reg::pqa, ram.value + ram_size);
    unit.ask(asked());
    EXPECT_EQ(unit.misuse.size(), 1U);
    EXPECT_EQ(unit.pages().outstanding(nic).size(), 1U); // it waits for ever
    EXPECT_EQ(prs(), 0U);
}

TEST_F(PageQueue, TheContextEntryHasToAllowIt) {
    const auto refused = [&](u64 entry, Reason reason, PageRequest request) {
        memory.store(context_table + nic.devfn() * 32U, entry);
        settle();
        unit.caches().forget_contexts();
        unit.write64(fault_at + 8, go);
        unit.write64(fault_at + 24, go);
        const auto before = unit.faults().reported.size();
        EXPECT_FALSE(unit.ask(request));
        EXPECT_EQ(unit.pages().responses.back(),
                  (GroupResponse{nic, request.pasid, 1, Response::invalid, true}));
        ASSERT_EQ(unit.faults().reported.size(), before + 1);
        EXPECT_EQ(fault_record::reason.in(unit.faults().reported.back().record.high),
                  static_cast<u64>(reason));
    };
    PageRequest plain = asked();
    plain.pasid.reset();
    PageRequest privileged = asked();
    privileged.privileged = true;
    refused(directory.value | 0b01101, Reason::sm_no_pre, privileged);
    EXPECT_TRUE(fault_record::privileged.in(unit.faults().reported.back().record.high));
    refused(directory.value | 0b01101, Reason::sm_no_pre, asked());
    EXPECT_FALSE(fault_record::privileged.in(unit.faults().reported.back().record.high));
    refused(directory.value | 0b10101, Reason::sm_no_paside, asked());
    refused(0, Reason::sm_context_not_present, plain);
    EXPECT_EQ(unit.read64(reg::pqt), 0U);
    memory.store(context_table + nic.devfn() * 32U, directory.value | 0b10001);
    unit.caches().forget_contexts();
    EXPECT_TRUE(unit.ask(plain)); // without DTE and PASIDE
}

TEST_F(PageQueue, LegacyModeKnowsNone) {
    Unit legacy({.cap = legacy_unit.cap, .ecap = legacy_unit.ecap | bit(29)}, memory);
    memory.store(root_table, context_table.value + 0x4000 + 1);
    memory.store(context_table + 0x4000 + nic.devfn() * 16U + 8, 1);
    memory.store(context_table + 0x4000 + nic.devfn() * 16U, tables[2].value | 1 << 2 | 1);
    settle();
    legacy.leave(command::translation, root_table.value);
    EXPECT_FALSE(legacy.ask({.rid = nic, .address = iova}));
    EXPECT_EQ(fault_record::reason.in(legacy.faults().record(0).high),
              static_cast<u64>(Reason::context_blocks_at));
    legacy.leave(0, 0);
    EXPECT_FALSE(legacy.ask({.rid = nic, .address = iova})); // nothing to translate
    EXPECT_EQ(legacy.pages().responses.size(), 2U);
    EXPECT_TRUE(legacy.pages().outstanding().empty());
}

} // namespace
