// SPDX-License-Identifier: GPL-2.0-only
//
// Registers and commands of the model's unit: what software sees, what becomes of requests
// meanwhile, and what the unit says to software that does what it must not.

#include <algorithm>

#include <gtest/gtest.h>

#include "model/unit.h"

namespace {

using namespace vtd::model;

constexpr Hpa ram{0x100000}, root_table{0x100000}, context_table{0x101000}, other_root{0x102000},
    queue{0x103000}, status{0x104000};
constexpr Hpa tables[] = {{0x112000}, {0x111000}, {0x110000}};
constexpr Hpa page{0x180000};
constexpr Rid nic = Rid::of(0, 3, 0);
constexpr Iova iova{0x12345000};
constexpr u64 go = u64{1} << 63;
constexpr unsigned iotlb_at = 0x100, fault_at = 0x200;

class Registers : public testing::Test {
protected:
    static constexpr Capabilities capabilities{.cap = u64{0b10} << 8 | u64{38} << 16 |
                                                      u64{fault_at / 16} << 24 | u64{1} << 40,
                                               .ecap = 1 | u64{iotlb_at / 16} << 8};

    Registers() : unit(capabilities, memory) {
        memory.add(ram, 1 << 20, Owner::old_kernel);
        memory.store(root_table, context_table.value | 1);
        memory.store(context_table + nic.devfn() * 16U + 8, 5 << 8 | 1);
        memory.store(context_table + nic.devfn() * 16U, tables[2].value | 1);
        for (unsigned level = 3; level; level--)
            memory.store(tables[level - 1] + (iova.value >> level_shift(level) & 511) * 8,
                         (level == 1 ? page : tables[level - 2]).value | 3);
        memory.flush(ram, 1 << 20);
        memory.drain();
        unit.leave(command::translation | command::srtp, root_table.value);
    }

    std::set<Hpa> reach() {
        std::set<Hpa> found;
        for (const Outcome& outcome : unit.explore({.rid = nic, .iova = iova}).outcomes)
            if (const auto* to = std::get_if<Translation>(&outcome))
                found.insert(to->address);
        return found;
    }
    bool may_fault() {
        const auto found = unit.explore({.rid = nic, .iova = iova}).outcomes;
        return std::ranges::any_of(found,
                                   [](const auto& o) { return std::holds_alternative<Fault>(o); });
    }
    void clear() { memory.store(context_table + nic.devfn() * 16U, 0); }
    void describe(unsigned index, u64 low, u64 high = 0) {
        memory.store(queue + index * 16, low);
        memory.store(queue + index * 16 + 8, high);
    }
    void queue_on() {
        unit.write64(reg::iqa, queue.value);
        unit.write32(reg::gcmd, command::translation | command::qie);
        EXPECT_TRUE(unit.read32(reg::gsts) & command::qie);
    }
    using Places = std::set<Hpa>;

    Memory memory;
    Unit unit;
};

TEST_F(Registers, ARootTableIsTakenAtSomeTime) {
    unit.write64(reg::rtaddr, other_root.value);
    EXPECT_EQ(reach(), Places{page});
    EXPECT_FALSE(may_fault()); // the register alone does nothing
    unit.write32(reg::gcmd, command::translation | command::srtp);
    EXPECT_EQ(reach(), Places{page});
    EXPECT_TRUE(may_fault());
    EXPECT_EQ(unit.read32(reg::gsts), command::translation | command::srtp);
    EXPECT_EQ(reach(), Places{page}); // from the caches
    unit.write64(reg::ccmd, go | u64{1} << 61);
    EXPECT_EQ(unit.read64(reg::ccmd) & go, 0U);
    unit.write64(iotlb_at + 8, go | u64{1} << 60);
    EXPECT_TRUE(reach().empty());
    EXPECT_TRUE(unit.misuse.empty());
}

TEST_F(Registers, ANewRootTableMayEmptyTheCaches) {
    Capabilities can = capabilities;
    can.cap |= u64{1} << 63;
    Unit flushing(can, memory);
    flushing.leave(command::translation, root_table.value);
    const Request request{.rid = nic, .iova = iova};
    flushing.explore(request);
    flushing.write64(reg::rtaddr, other_root.value);
    flushing.write32(reg::gcmd, command::translation | command::srtp);
    flushing.read32(reg::gsts);
    EXPECT_EQ(flushing.explore(request).outcomes,
              std::set<Outcome>{(Fault{Reason::root_not_present})});
}

TEST_F(Registers, ACommandThatIsNeverComplete) {
    unit.completes = [](u32) { return false; };
    unit.write64(reg::rtaddr, other_root.value);
    unit.write32(reg::gcmd, command::translation | command::srtp);
    for (int i = 0; i < 3; i++)
        EXPECT_EQ(unit.read32(reg::gsts), command::translation);
    EXPECT_TRUE(may_fault());
    EXPECT_EQ(unit.roots().size(), 2U);
}

TEST_F(Registers, TranslationThatIsSwitchedOff) {
    unit.write32(reg::gcmd, 0);
    EXPECT_EQ(reach(), (Places{page, {iova.value}})); // either
    EXPECT_EQ(unit.read32(reg::gsts) & command::translation, 0U);
    EXPECT_EQ(reach(), Places{{iova.value}});
    unit.write32(reg::gcmd, command::translation);
    EXPECT_EQ(reach(), (Places{page, {iova.value}}));
    unit.read32(reg::gsts);
    EXPECT_EQ(reach(), Places{page});
}

TEST_F(Registers, NarrowInvalidationsByRegister) {
    reach();
    clear();
    unit.write64(reg::ccmd, go | u64{3} << 61 | u64{nic.value} << 16 | 6);
    EXPECT_EQ(reach(), Places{page}); // another domain
    unit.write64(reg::ccmd, go | u64{3} << 61 | u64{nic.value} << 16 | 5);
    EXPECT_TRUE(reach().empty());
    EXPECT_FALSE(unit.caches().pages.empty());
    unit.write64(iotlb_at, (iova.value & ~u64{0x3fff}) | 2);
    unit.write64(iotlb_at + 8, go | u64{3} << 60 | u64{5} << 32);
    EXPECT_TRUE(unit.caches().pages.empty());
    unit.write64(iotlb_at + 8, go);
    EXPECT_EQ(unit.misuse.size(), 1U);
}

TEST_F(Registers, TheQueue) {
    reach();
    clear();
    queue_on();
    describe(0, 1 | 3 << 4 | u64{5} << 16 | u64{nic.value} << 32);
    describe(1, 2 | 2 << 4 | u64{5} << 16);
    describe(2, 5 | 1 << 5 | u64{0xabcd} << 32, status.value);
    unit.write32(reg::iqt, 3 * 16);
    EXPECT_EQ(unit.read32(reg::iqh), 3U * 16);
    EXPECT_EQ(memory.load(status), 0xabcdU);
    EXPECT_TRUE(reach().empty() && unit.caches().pages.empty());
    unit.write64(reg::ccmd, go | u64{1} << 61);
    EXPECT_EQ(unit.misuse.size(), 1U);
}

TEST_F(Registers, AQueueStopsAtAnError) {
    queue_on();
    describe(0, 0xf);
    describe(1, 2 | 1 << 4);
    reach();
    unit.write32(reg::iqt, 2 * 16);
    EXPECT_EQ(unit.read32(reg::iqh), 0U);
    EXPECT_EQ(unit.read32(reg::fsts), fault_status::iqe);
    describe(0, 2 | 1 << 4);
    unit.read32(reg::iqh);
    EXPECT_FALSE(unit.caches().pages.empty());
    unit.write32(reg::fsts, fault_status::iqe);
    EXPECT_EQ(unit.read32(reg::iqh), 2U * 16);
    EXPECT_TRUE(unit.caches().pages.empty());
}

TEST_F(Registers, AQueueThatHangsHoldsUpWhatFollows) {
    queue_on();
    reach();
    unit.queue_moves = false;
    describe(0, 2 | 1 << 4);
    unit.write32(reg::iqt, 16);
    EXPECT_EQ(unit.read32(reg::iqh), 0U);
    EXPECT_FALSE(unit.caches().pages.empty());
}

TEST_F(Registers, DeviceTlbs) {
    const auto line = [](u64 at) {
        return DeviceLine{nic, {}, {at}, {.address = page, .read = true}};
    };
    queue_on();
    unit.caches().devices = {line(0x1000), line(0x2000), line(0x8000)};
    describe(0, 3 | u64{nic.value} << 32, 0x1000);
    describe(1, 3 | u64{nic.value} << 32, 0x3000 | 1); // four pages, from 0
    describe(2, 3 | u64{nic.value} << 32, ~u64{0xfff} | 1);
    unit.write32(reg::iqt, 16);
    EXPECT_EQ(unit.caches().devices, (std::set{line(0x2000), line(0x8000)}));
    unit.write32(reg::iqt, 2 * 16);
    EXPECT_EQ(unit.caches().devices, std::set{line(0x8000)});
    unit.write32(reg::iqt, 3 * 16);
    EXPECT_TRUE(unit.caches().devices.empty());
}

TEST_F(Registers, FaultRecordsOverflow) {
    const Request request{.rid = nic, .iova = iova};
    unit.record(request, {Reason::no_read, false});
    EXPECT_EQ(unit.read32(reg::fsts), 0U);
    for (int i = 0; i < 2; i++)
        unit.record(request, {Reason::no_read});
    EXPECT_EQ(unit.read32(reg::fsts), fault_status::ppf);
    unit.record(request, {Reason::no_read});
    EXPECT_EQ(unit.read32(reg::fsts), fault_status::ppf | fault_status::pfo);
    EXPECT_EQ(unit.read64(fault_at), iova.value);
    EXPECT_EQ(unit.read64(fault_at + 8), go | u64{1} << 62 | u64{6} << 32 | nic.value);
}

TEST_F(Registers, WhatSoftwareMustNotDo) {
    unit.write32(reg::gcmd, command::translation | command::srtp);
    unit.write32(reg::gcmd, command::translation | command::srtp);
    EXPECT_EQ(unit.misuse.size(), 1U); // not complete
    unit.read32(reg::gsts);
    unit.write32(reg::gcmd, command::translation | command::qie | command::wbf);
    EXPECT_EQ(unit.misuse.size(), 2U); // two at once
    unit.read32(reg::gsts);
    unit.write64(reg::rtaddr, other_root.value | 1 << 10);
    unit.write32(reg::gcmd, command::translation | command::qie | command::srtp);
    EXPECT_EQ(unit.misuse.back(), "the mode of the tables changes while translation is on");
}

} // namespace
