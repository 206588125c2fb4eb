// SPDX-License-Identifier: GPL-2.0-only
//
// Chapter 4: devices with device-TLBs, PASIDs and page requests, and what software can switch.
// Also what requests leave in tables (3.6.2, 3.7.2), which needs both stages.

#include "tests/units.h"

namespace {

using namespace vtd::test;

class Devices : public WithUnit {
protected:
    Devices() : WithUnit(scalable_unit) {}

    static std::set<Hpa> places(const Explored& explored) {
        std::set<Hpa> found;
        for (const Outcome& outcome : explored.outcomes)
            if (const auto* to = std::get_if<Translation>(&outcome))
                found.insert(to->address);
        return found;
    }
    // The page is no longer there, and the unit knows.
    void unmap() {
        memory.store(slot(1), 0);
        settle();
        unit.caches().forget_pages();
    }

    Device with{unit, nic, {.ats = true, .pasid = true, .pri = true}};
    Device without{unit, disk, {}};
    const Request request{.rid = {}, .iova = iova};
};

TEST_F(Devices, KeepWhatTheyWereTold) {
    EXPECT_EQ(places(with.explore(request)), Places{page});
    EXPECT_EQ(places(without.explore(request)), Places{page});
    ASSERT_EQ(unit.caches().devices.size(), 1U);
    EXPECT_EQ(unit.caches().devices.begin()->rid, nic);
    unmap();
    EXPECT_EQ(places(with.explore(request)), Places{page});
    EXPECT_EQ(places(without.explore(request)), Places{});
    queue_on();
    describe(0, 3 | u64{nic.value} << 32, iova.value);
    submit(1);
    EXPECT_EQ(places(with.explore(request)), Places{});
}

TEST_F(Devices, AreLookedAtByTheContextEntryAllTheSame) {
    with.explore(request);
    unmap();
    memory.store(context_table + nic.devfn() * 32U, directory.value | 0b11001); // no DTE
    settle();
    unit.caches().forget_contexts();
    EXPECT_EQ(places(with.explore(request)), Places{});
    EXPECT_FALSE(unit.caches().devices.empty());
}

TEST_F(Devices, AreToldNothingThatTheyMayNotKnow) {
    memory.store(context_table + nic.devfn() * 32U, directory.value | 0b11001); // no DTE
    settle();
    EXPECT_EQ(places(with.explore(request)), Places{page});
    EXPECT_TRUE(unit.caches().devices.empty());
}

TEST_F(Devices, KnowStreamsApart) {
    constexpr Hpa other{0x190000};
    unit.caches().devices = {{nic, Pasid{7}, iova, {.address = other, .read = true}},
                             {disk, {}, iova, {.address = other, .read = true}}};
    EXPECT_EQ(places(with.explore(request)), Places{page});
    Request stream = request;
    stream.pasid = Pasid{7};
    EXPECT_EQ(places(with.explore(stream)), Places{other});
}

TEST_F(Devices, SendWhatTheyAreSwitchedTo) {
    Request stream = request;
    stream.pasid = Pasid{0};
    EXPECT_EQ(places(with.explore(stream)), Places{page});
    EXPECT_TRUE(without.explore(stream).outcomes.empty());
    EXPECT_FALSE(without.ask({.rid = {}, .address = iova}));
    without.set_pri(true);
    EXPECT_FALSE(without.ask({.rid = {}, .pasid = Pasid{1}, .address = iova}));
    EXPECT_TRUE(without.ask({.rid = {}, .address = iova}));
    without.set_pasid(true);
    EXPECT_TRUE(without.ask({.rid = {}, .pasid = Pasid{1}, .address = iova}));
    EXPECT_EQ(without.waits_for().size(), 2U);
    EXPECT_TRUE(with.waits_for().empty());
    EXPECT_EQ(without.waits_for().front().rid, disk);
}

TEST_F(Devices, BeginWithAnEmptyTlb) {
    with.explore(request);
    unmap();
    with.set_ats(true); // it is on
    EXPECT_EQ(places(with.explore(request)), Places{page});
    with.set_ats(false);
    EXPECT_EQ(places(with.explore(request)), Places{});
    EXPECT_FALSE(unit.caches().devices.empty());
    with.set_ats(true);
    EXPECT_EQ(places(with.explore(request)), Places{});
}

TEST_F(Devices, ForgetEverythingWhenTheyAreReset) {
    with.explore(request);
    EXPECT_TRUE(with.ask({.rid = {}, .address = iova}));
    unmap();
    with.reset();
    EXPECT_TRUE(unit.caches().devices.empty());
    EXPECT_TRUE(with.waits_for().empty());
    EXPECT_FALSE(with.can().ats || with.can().pasid || with.can().pri);
}

TEST_F(Devices, MayBeSilent) {
    with.explore(request);
    with.set_silent(true);
    queue_on();
    describe(0, 3 | u64{nic.value} << 32, iova.value);
    describe(1, 3 | u64{nic.value} << 32, iova.value);
    submit(1);
    EXPECT_EQ(unit.read32(reg::fsts), fault_status::ite);
    EXPECT_FALSE(unit.caches().devices.empty());
    with.set_silent(false);
    unit.write32(reg::fsts, fault_status::ite);
    submit(2);
    EXPECT_TRUE(unit.caches().devices.empty());
}

// What a walk has gone by is marked, if it is not yet.
class Marks : public Devices {
protected:
    static constexpr u64 accessed_2 = bit(8), dirty_2 = bit(9), accessed_1 = bit(5),
                         dirty_1 = bit(6);
    using Bits = std::map<Hpa, u64>;

    explicit Marks(u64 capability = bit(45))
        : marking({.cap = legacy_unit.cap, .ecap = scalable_unit.ecap | capability}, memory) {
        marking.leave(command::translation | command::srtp, root_table.value | rtaddr::ttm.make(1));
    }
    void pasid_entry(u64 low) {
        memory.store(pasids, low);
        settle();
        marking.caches() = {};
    }
    Bits marks(Access access) {
        marking.caches() = {};
        return marking.explore({.rid = nic, .iova = iova, .access = access}).marks;
    }
    static constexpr u64 second = tables[2].value | 2 << 6 | 1 << 2 | 1, ssade = bit(9);

    Unit marking;
};

TEST_F(Marks, OfASecondStageThatIsToHaveThem) {
    EXPECT_EQ(marks(Access::write), Bits{});
    pasid_entry(second | ssade);
    EXPECT_EQ(marks(Access::read),
              (Bits{{slot(3), accessed_2}, {slot(2), accessed_2}, {slot(1), accessed_2}}));
    const Explored written{marking.explore({.rid = nic, .iova = iova, .access = Access::write})};
    marking.mark(written);
    EXPECT_EQ(memory.load(slot(2)), tables[0].value | accessed_2 | 3);
    EXPECT_EQ(memory.load(slot(1)), page.value | accessed_2 | dirty_2 | 3);
    ASSERT_EQ(memory.by_hardware().size(), 3U);
    EXPECT_EQ(memory.by_hardware().front().writer, Writer::mark);
    EXPECT_EQ(marks(Access::write), Bits{});
}

TEST_F(Marks, NeedACapability) {
    pasid_entry(second | ssade);
    EXPECT_EQ(unit.explore({.rid = nic, .iova = iova, .access = Access::write}).marks, Bits{});
}

TEST_F(Marks, AreNotThoseOfARequestThatFails) {
    pasid_entry(second | ssade);
    memory.store(slot(1), page.value | 1); // read only
    settle();
    EXPECT_EQ(marks(Access::write), (Bits{{slot(3), accessed_2}, {slot(2), accessed_2}}));
}

// The first stage always has them, and they are writes to what the second one maps.
TEST_F(Marks, OfAFirstStageAreWritesThroughTheSecond) {
    constexpr Hpa first[] = {{0x120000}, {0x121000}, {0x122000}, {0x123000}};
    constexpr u64 whole = 0x80; // a large page of the second stage
    const auto at = [&](unsigned level) {
        return first[level - 1] + (iova.value >> level_shift(level) & 511) * 8;
    };
    for (unsigned level = 4; level > 1; level--)
        memory.store(at(level), first[level - 2].value | 7);
    memory.store(at(1), page.value | 7);
    memory.store(pasids + 16, first[3].value);
    pasid_entry(1 << 6 | 1);
    EXPECT_EQ(
        marks(Access::read),
        (Bits{{at(4), accessed_1}, {at(3), accessed_1}, {at(2), accessed_1}, {at(1), accessed_1}}));
    EXPECT_EQ(marks(Access::write).at(at(1)), accessed_1 | dirty_1);
    EXPECT_EQ(marks(Access::write).at(at(2)), accessed_1);

    // Nested: the first two MiB, one to one.
    Unit nesting({.cap = legacy_unit.cap | bit(34), .ecap = scalable_unit.ecap | bit(45)}, memory);
    nesting.leave(command::translation | command::srtp, root_table.value | rtaddr::ttm.make(1));
    constexpr Hpa top{0x130000}, middle{0x131000};
    memory.store(top, middle.value | 3);
    memory.store(middle, whole | 3);
    memory.store(pasids, top.value | ssade | 3 << 6 | 1 << 2 | 1);
    settle();
    const Bits found = nesting.explore({.rid = nic, .iova = iova}).marks;
    EXPECT_EQ(found.at(middle), accessed_2 | dirty_2);
    EXPECT_EQ(found.at(top), accessed_2);
    EXPECT_EQ(found.at(at(1)), accessed_1);
}

TEST_F(Devices, DoWithAPageWhatItPermits) {
    memory.store(slot(1), page.value | 1);
    settle();
    with.explore(request);
    unmap();
    Request other = request;
    for (const auto& [access, may] : {std::pair{Access::read, true},
                                      {Access::zero_length_read, true},
                                      {Access::write, false},
                                      {Access::atomic, false}}) {
        other.access = access;
        EXPECT_EQ(places(with.explore(other)).contains(page), may);
    }
}

TEST_F(Devices, AskBesidesWhatTheyDo) {
    const auto plain = unit.explore({.rid = nic, .iova = iova});
    const auto all = with.explore(request);
    EXPECT_GE(all.walks, 2 * plain.walks);
    EXPECT_GT(all.read.size(), plain.read.size());
}

TEST_F(Marks, AreNotForLegacyMode) {
    memory.store(root_table, (context_table + 0x4000).value | 1);
    memory.store(context_table + 0x4000 + nic.devfn() * 16U + 8, 5 << 8 | 1);
    memory.store(context_table + 0x4000 + nic.devfn() * 16U, tables[2].value | 1);
    settle();
    marking.leave(command::translation | command::srtp, root_table.value);
    const auto found = marking.explore({.rid = nic, .iova = iova, .access = Access::write});
    EXPECT_EQ(places(found), Places{page});
    EXPECT_EQ(found.marks, Bits{});
}

// 6.2: entries of PASIDs are cached, and so are pages with what they permit.
TEST_F(Devices, EntriesOfPasidsAreCached) {
    Request stream = request;
    stream.pasid = Pasid{0};
    EXPECT_EQ(places(with.explore(stream)), Places{page});
    memory.store(pasids, 0);
    settle();
    const auto reason = [&] {
        std::set<Reason> found;
        for (const Outcome& outcome : unit.explore({.rid = nic, .iova = iova}).outcomes)
            if (const auto* fault = std::get_if<Fault>(&outcome))
                found.insert(fault->reason);
        return found;
    };
    EXPECT_EQ(reach(), Places{page});
    EXPECT_EQ(reason(), std::set{Reason::pasid_not_present});
    unit.caches().forget_pasids({5}, {1});
    EXPECT_EQ(reach(), Places{page});
    unit.caches().forget_pasids({5}, {0});
    EXPECT_EQ(reach(), Places{});
}

TEST_F(Devices, APageOfAFirstStageIsCachedWithItsRights) {
    memory.store(pasids, 1 << 6 | 1);
    memory.store(pasids + 16, 0x123000);
    settle();
    const Tag tag{{5}, Pasid{0}, Table::first_stage};
    unit.caches().pages = {{tag, iova, {.address = page, .read = true, .did = {5}}}};
    EXPECT_EQ(reach(), Places{page});
    const auto written = unit.explore({.rid = nic, .iova = iova, .access = Access::write});
    EXPECT_EQ(places(written), Places{});
    EXPECT_TRUE(written.outcomes.contains(Fault{Reason::sm_no_write}));
}

} // namespace
