// SPDX-License-Identifier: GPL-2.0-only
//
// Chapter 7: how software learns of faults: records, status and the event.

#include "tests/units.h"

namespace {

using namespace vtd::test;

class Faults : public WithUnit {
protected:
    const Request request{.rid = nic, .iova = iova};
    void fault(Reason reason = Reason::no_read) { unit.record(request, {reason}); }
    void clear(unsigned index) { unit.write32(fault_at + index * 16 + 12, 1U << 31); }
    u64 high(unsigned index = 0) { return unit.read64(fault_at + index * 16 + 8); }
    const std::vector<Message>& sent() { return unit.faults().event.sent; }
};

TEST_F(Faults, AreRecordedUnlessTheyAreSilent) {
    unit.record(request, {Reason::no_read, false});
    unit.record(InterruptRequest{nic}, InterruptFault{Reason::interrupt_source, false, {1}});
    EXPECT_EQ(unit.read32(reg::fsts), 0U);
    EXPECT_TRUE(unit.faults().reported.empty());
    fault();
    EXPECT_EQ(unit.read32(reg::fsts), fault_status::ppf);
    EXPECT_EQ(unit.read64(fault_at), iova.value);
    EXPECT_EQ(high(), go | u64{1} << 62 | u64{6} << 32 | nic.value);
}

TEST_F(Faults, SayWhatWasRefused) {
    const auto record = [&](Request of, Reason reason) {
        unit.record(of, {reason});
        const u64 found = high();
        clear(0);
        clear(1);
        unit.record(request, {Reason::no_read}); // the other of two
        clear(1);
        return found & ~go;
    };
    constexpr u64 t1 = u64{1} << 62, t2 = u64{1} << 28, base = u64{6} << 32 | nic.value;
    Request one = request;
    EXPECT_EQ(record(one, Reason::no_read), t1 | base);
    one.access = Access::write;
    EXPECT_EQ(record(one, Reason::no_read), base);
    one.access = Access::atomic;
    EXPECT_EQ(record(one, Reason::no_read), t1 | t2 | base);
    one.access = Access::zero_length_read;
    EXPECT_EQ(record(one, Reason::no_read), t1 | base);
    one.kind = Kind::translated;
    EXPECT_EQ(record(one, Reason::no_read), t1 | u64{2} << 60 | base);
    one.kind = Kind::page_request;
    EXPECT_EQ(record(one, Reason::no_read), t2 | base);
    one.pasid = Pasid{0xfedcb};
    one.privileged = true;
    EXPECT_EQ(record(one, Reason::no_read),
              t2 | base | u64{0xfedcb} << 40 | u64{1} << 31 | u64{1} << 29);
}

TEST_F(Faults, OfInterruptsHaveAnIndex) {
    const auto interrupt = InterruptRequest::remappable(disk, {0x1234});
    unit.record(interrupt, InterruptFault{Reason::interrupt_not_present, true, {0x1234}});
    EXPECT_EQ(unit.read64(fault_at), u64{0x1234} << 48);
    EXPECT_EQ(high(), go | u64{0x22} << 32 | disk.value);
}

TEST_F(Faults, OverflowAndAreLost) {
    for (int i = 0; i < 2; i++)
        fault();
    EXPECT_EQ(unit.read32(reg::fsts), fault_status::ppf);
    fault(Reason::no_write);
    EXPECT_EQ(unit.read32(reg::fsts), fault_status::ppf | fault_status::pfo);
    clear(0);
    clear(1);
    EXPECT_EQ(unit.read32(reg::fsts), fault_status::pfo);
    fault(); // not until PFO is cleared
    EXPECT_EQ(unit.read32(reg::fsts), fault_status::pfo);
    unit.write32(reg::fsts, fault_status::pfo);
    fault();
    EXPECT_EQ(unit.read32(reg::fsts), fault_status::ppf);
    std::vector<bool> lost;
    for (const ReportedFault& reported : unit.faults().reported)
        lost.push_back(reported.lost);
    EXPECT_EQ(lost, (std::vector<bool>{false, false, true, true, false}));
    EXPECT_EQ(fault_record::reason.in(unit.faults().reported[2].record.high),
              static_cast<u64>(Reason::no_write));
}

TEST_F(Faults, TheOldestIsPointedAt) {
    fault();
    fault();
    clear(0);
    EXPECT_EQ(unit.read32(reg::fsts), fault_status::ppf);
    clear(1);
    EXPECT_EQ(unit.read32(reg::fsts), 0U);
    fault();
    clear(0);
    fault();
    EXPECT_EQ(unit.read32(reg::fsts), fault_status::ppf | 1 << 8);
}

TEST_F(Faults, FIsClearedByWritingOne) {
    fault();
    unit.write64(fault_at + 8, 0);
    unit.write64(fault_at, go);
    EXPECT_EQ(high() >> 63, 1U);
    unit.write32(fault_at + 8, ~0U); // the other half
    EXPECT_EQ(high() >> 63, 1U);
    unit.write64(fault_at + 8, go);
    EXPECT_EQ(high() >> 63, 0U);
    EXPECT_EQ(high() & 0xffff, nic.value); // the rest stays
}

TEST_F(Faults, AreToldOfOnce) {
    unit.write32(reg::fectl + Event::data, 0x21);
    unit.write32(reg::fectl + Event::address, 0xfee00003); // two bits are not there
    unit.write32(reg::fectl, 0);
    fault();
    EXPECT_EQ(sent(), (std::vector<Message>{{0xfee00000, 0x21}}));
    fault();
    fault();
    unit.silent.insert(disk);
    unit.invalidation().unexpected_answer(disk);
    EXPECT_EQ(sent().size(), 1U); // software has not dealt with the first
    unit.write32(reg::fsts, ~0U);
    clear(0);
    fault();
    EXPECT_EQ(sent().size(), 1U); // a record is left
    clear(0);
    clear(1);
    fault();
    EXPECT_EQ(sent().size(), 2U);
    EXPECT_EQ(unit.read32(reg::fectl), 0U);
}

TEST_F(Faults, AreToldOfLaterWhenMasked) {
    EXPECT_EQ(unit.read32(reg::fectl), event_control::im);
    fault();
    EXPECT_EQ(unit.read32(reg::fectl), event_control::im | event_control::ip);
    EXPECT_TRUE(sent().empty());
    unit.write32(reg::fectl, event_control::im);
    EXPECT_TRUE(sent().empty());
    unit.write32(reg::fectl, 0);
    EXPECT_EQ(sent().size(), 1U);
    EXPECT_EQ(unit.read32(reg::fectl), 0U);
    clear(0);
    unit.write32(reg::fectl, event_control::im);
    fault();
    clear(1);
    EXPECT_EQ(unit.read32(reg::fectl), event_control::im); // dealt with before it was sent
    unit.write32(reg::fectl, 0);
    EXPECT_EQ(sent().size(), 1U);
}

TEST_F(Faults, AreDealtWithInAnyOrder) {
    for (int i = 0; i < 3; i++)
        fault();
    clear(0);
    clear(1);
    EXPECT_EQ(unit.read32(reg::fectl), event_control::im | event_control::ip);
    unit.write32(reg::fsts, fault_status::pfo);
    EXPECT_EQ(unit.read32(reg::fectl), event_control::im);
}

TEST_F(Faults, OfTheQueueAreToldOfToo) {
    unit.write32(reg::fectl, 0);
    queue_on();
    describe(0, 0);
    submit(1);
    EXPECT_EQ(sent().size(), 1U);
}

TEST(FaultRing, IsFilledInOrder) {
    FaultLog log(3);
    for (const u64 low : {u64{10}, u64{11}, u64{12}, u64{13}})
        log.report({low, 0});
    for (const std::size_t index : {0U, 1U, 2U})
        EXPECT_EQ(log.record(index), (FaultRecord{10 + index, go}));
    for (const std::size_t index : {0U, 1U, 2U})
        log.clear_record(index);
    log.clear_status(fault_status::pfo);
    log.report({14, 0});
    EXPECT_EQ(log.record(0).low, 14U); // after the last, not after the one that was lost
    EXPECT_EQ(log.reported.size(), 5U);
}

} // namespace
