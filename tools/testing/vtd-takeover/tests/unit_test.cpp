// SPDX-License-Identifier: GPL-2.0-only
//
// Registers and commands of the model's unit: what software sees, what becomes of requests
// meanwhile, and what the unit says to software that does what it must not.

#include "tests/units.h"

namespace {

using namespace vtd::test;

class Registers : public WithUnit {};

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
    Capabilities can = legacy_unit;
    can.cap |= u64{1} << 63;
    Unit flushing(can, memory);
    flushing.leave(command::translation, root_table.value);
    const Request request{.rid = nic, .iova = iova};
    flushing.explore(request);
    flushing.write64(reg::rtaddr, other_root.value);
    flushing.write32(reg::gcmd, command::translation | command::srtp);
    flushing.read32(reg::gsts);
    EXPECT_EQ(flushing.caches().size(), 0U);
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
    EXPECT_EQ(unit.explore({.rid = nic, .iova = iova}).outcomes,
              (std::set<Outcome>{Translation{{iova.value}, page_bits, true, true, {}, true}}));
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
    EXPECT_EQ(unit.misuse[3], "the mode of the tables changes while translation is on");
    EXPECT_EQ(unit.misuse[4], "a mode of tables that the unit does not have");
}

TEST_F(Registers, WhatAUnitLacksIsNotUsed) {
    Unit poor({.cap = legacy_unit.cap, .ecap = u64{iotlb_at / 16} << 8}, memory);
    const std::pair<u32, const char*> commands[] = {
        {command::qie, "an invalidation queue on a unit that has none"},
        {command::sirtp, "interrupt remapping on a unit that has none"},
        {command::cfi, "interrupt remapping on a unit that has none"},
    };
    for (const auto& [bit, what] : commands) {
        poor.leave(0, 0);
        poor.misuse.clear();
        poor.write32(reg::gcmd, bit);
        poor.read32(reg::gsts);
        EXPECT_EQ(poor.misuse, std::vector<std::string>{what});
    }
    for (const u64 mode : {u64{2}, u64{3}}) {
        poor.leave(0, 0);
        poor.misuse.clear();
        poor.write64(reg::rtaddr, root_table.value | mode << 10);
        poor.write32(reg::gcmd, command::srtp);
        poor.read32(reg::gsts);
        EXPECT_EQ(poor.misuse.size(), 1U);
    }
    Unit aborting({.cap = legacy_unit.cap, .ecap = legacy_unit.ecap | bit(52)}, memory);
    aborting.write64(reg::rtaddr, root_table.value | 3 << 10);
    aborting.write32(reg::gcmd, command::srtp);
    EXPECT_TRUE(aborting.misuse.empty());
}

// A unit that knows no scalable mode refuses what it finds in one.
TEST_F(Registers, AModeThatTheUnitDoesNotHave) {
    unit.leave(command::translation | command::srtp, root_table.value | 1 << 10);
    EXPECT_EQ(unit.explore({.rid = nic, .iova = iova}).outcomes,
              std::set<Outcome>{(Fault{Reason::rtaddr_invalid})});
}

TEST_F(Registers, WideOnesAreTakenInHalvesToo) {
    EXPECT_EQ(unit.read64(reg::rtaddr), root_table.value);
    EXPECT_EQ(unit.read64(reg::cap), legacy_unit.cap);
    EXPECT_EQ(unit.read64(reg::ecap), legacy_unit.ecap);
    unit.write64(reg::irta, interrupt_table.value);
    EXPECT_EQ(unit.read64(reg::irta), interrupt_table.value);
    unit.write64(reg::rtaddr, 0x1'0010'2000);
    EXPECT_EQ(unit.read32(reg::rtaddr), 0x102000U);
    EXPECT_EQ(unit.read32(reg::rtaddr + 4), 1U);
    unit.write32(reg::rtaddr + 4, 2);
    EXPECT_EQ(unit.read64(reg::rtaddr), 0x2'0010'2000U);
    unit.write32(reg::rtaddr, 0x5000);
    EXPECT_EQ(unit.read64(reg::rtaddr), 0x2'0000'5000U);
    reach();
    unit.write32(iotlb_at + 8 + 4, static_cast<u32>((go | u64{1} << 60) >> 32));
    EXPECT_TRUE(unit.caches().pages.empty());
    EXPECT_TRUE(unit.misuse.empty());
    unit.read32(0x1000);
    unit.write32(0x1000, 0);
    unit.read64(0x1000);
    unit.write64(0x1000, 0);
    unit.read32(reg::pectl + 16);
    unit.read64(fault_at + 2 * 16);
    EXPECT_EQ(unit.misuse.size(), 6U);
}

// Units share memory, and nothing else.
TEST_F(Registers, UnitsAreApart) {
    Unit other(legacy_unit, memory);
    other.leave(command::translation | command::srtp, other_root.value);
    EXPECT_EQ(reach(), Places{page});
    EXPECT_TRUE(other.caches().pages.empty());
    unit.record({.rid = nic, .iova = iova}, {Reason::no_read});
    EXPECT_EQ(other.read32(reg::fsts), 0U);
    EXPECT_EQ(other.explore({.rid = nic, .iova = iova}).outcomes,
              std::set<Outcome>{(Fault{Reason::root_not_present})});
    other.write64(reg::ccmd, go | u64{1} << 61);
    EXPECT_FALSE(unit.caches().contexts.empty());
}

} // namespace
