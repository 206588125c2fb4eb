// SPDX-License-Identifier: GPL-2.0-only
//
// What the takeover does to a device itself, and in which order: nothing until its release, then as
// much as the crashed kernel has switched on.

#include "tests/dead_machine.h"

using namespace vtd;

namespace {

constexpr unsigned ats = VTD_DEVICE_ATS, pasid = VTD_DEVICE_PASID, pri = VTD_DEVICE_PRI;

class DeviceState : public DeadMachine {
protected:
    DeviceState() { machine.unit.ecap |= u64{VTD_ECAP_PASID}; }

    // What was done to a device that was left with these switched on. The switches by value, the
    // invalidations, each for devices that have to be told twice, as 0 and, of what was learnt with
    // PASIDs, 0x100.
    std::vector<unsigned> done(unsigned on) {
        device dev{.rids = {disk.value}, .on = on};
        machine.events.clear();
        takeover_settle_device(&machine.unit, &dev, disk.value, on);
        EXPECT_EQ(dev.on, 0U);
        std::vector<unsigned> found;
        for (const Event& event : machine.events) {
            EXPECT_EQ(event.rid, disk);
            if (event.op == Op::DeviceOff)
                found.push_back(static_cast<unsigned>(event.value));
            else if (event.op == Op::InvDevtlb)
                found.push_back(0);
            else if (event.op == Op::InvDevtlbPasids)
                found.push_back(0x100);
            else
                ADD_FAILURE() << "something else was done";
        }
        return found;
    }
    using Done = std::vector<unsigned>;
};

TEST_P(DeviceState, EndsInTheOrderOfPciExpress) {
    const Done with_pasids =
        scalable() ? Done{pri, 0, 0, 0x100, 0x100, ats, pasid} : Done{pri, 0, 0, ats, pasid};
    EXPECT_EQ(done(ats | pasid | pri), with_pasids);
    EXPECT_EQ(done(ats | pri), (Done{pri, 0, 0, ats}));
    EXPECT_EQ(done(ats), (Done{0, 0, ats}));
    EXPECT_EQ(done(pasid), Done{pasid}); // with no ATS there is nothing to forget
    EXPECT_EQ(done(pri), Done{pri});
    EXPECT_EQ(done(0), Done{});
}

// To a unit that lacks it the invalidation would be an error of the queue, and stop that.
TEST_P(DeviceState, EndsWithoutInvalidationThatTheUnitDoesNotKnow) {
    machine.unit.ecap &= ~u64{VTD_ECAP_PASID};
    EXPECT_EQ(done(ats | pasid), (Done{0, 0, ats, pasid}));
    machine.unit.ecap |= u64{VTD_ECAP_PASID};
    machine.unit.ecap &= ~u64{VTD_ECAP_DT};
    EXPECT_EQ(done(ats | pasid), (Done{ats, pasid}));
}

// An alias has no configuration space, and its entry no say in that of the device.
TEST_P(DeviceState, IsThatOfTheDevicesOwnId) {
    adopt_and_install();
    device dev{.rids = {sound.value, bridge_alias.value}, .on = ats | pri};
    EXPECT_TRUE(takeover_holds_device(&machine.unit, &dev));
    EXPECT_EQ(dev.on, ats | pri);
    EXPECT_EQ(takeover_release_device(&machine.unit, &dev), 2);
    EXPECT_EQ(dev.on, 0U);
    for (const Event& event : machine.events)
        if (event.op == Op::DeviceOff || event.op == Op::InvDevtlb) {
            EXPECT_EQ(event.rid, sound);
        }
}

// The entry is in no cache when the device is told to forget, and still says that it is not there.
TEST_P(DeviceState, EndsAfterTheEntryAndItsCaches) {
    adopt_and_install();
    machine.watched = ours(disk).data();
    const u64 entry = *machine.watched & ~1ULL;
    device dev{.rids = {disk.value}, .on = ats | pasid | pri};
    takeover_release_device(&machine.unit, &dev);
    const auto all = ops();
    const auto first = std::ranges::find(all, Op::DeviceOff);
    ASSERT_NE(first, all.end());
    EXPECT_EQ(std::count(all.begin(), first, Op::InvContext), 1);
    EXPECT_EQ(std::count(all.begin(), first, scalable() ? Op::InvIotlbAll : Op::InvIotlbDomain), 1);
    for (const Event& event : machine.events)
        EXPECT_EQ(event.entry, entry);
}

// 6.5.2.10: a time-out aborts everybody's waits. Only a device's can be what timed out, and it may
// have been another device's.
TEST_P(DeviceState, ADeviceThatDoesNotAnswerIsGivenUp) {
    constexpr u64 without = 3 | u64{disk.value} << 32, with = 8 | u64{disk.value} << 16;
    for (const u64 command : {without, with, without | ~u64{0xffff'0000'000f}}) {
        machine.log.clear();
        for (unsigned aborts = 1; aborts < TAKEOVER_ABORTS_MAX; aborts++)
            EXPECT_FALSE(takeover_gives_up_device(&machine.unit, command, aborts));
        EXPECT_TRUE(machine.log.empty());
        EXPECT_TRUE(takeover_gives_up_device(&machine.unit, command, TAKEOVER_ABORTS_MAX));
        EXPECT_EQ(machine.log.size(), 1U);
        EXPECT_EQ(lines("dmar0: 00:1f.2 answers no invalidation"), 1U);
    }
    for (const u64 type : {0U, 1U, 2U, 4U, 5U, 6U, 7U, 9U})
        EXPECT_FALSE(takeover_gives_up_device(&machine.unit, type | ~u64{15}, 1000)) << type;
}

// Each command of such a device waits for a time-out of hardware, which PCI Express allows a minute
// and a half (10.3), with interrupts off.
TEST_P(DeviceState, ADeviceThatHangsCostsOneTimeOut) {
    machine.functions_answer = false;
    for (const unsigned on : {ats, ats | pasid, ats | pasid | pri}) {
        machine.time_outs = 0;
        const Done all = done(on);
        EXPECT_EQ(machine.time_outs, 1U);
        EXPECT_EQ(std::ranges::count(all, 0U) + std::ranges::count(all, 0x100U), 1);
        EXPECT_TRUE(takeover_is_silent(&machine.unit, disk.value));
        EXPECT_FALSE(takeover_is_silent(&machine.unit, nic.value));
    }
    // What its driver asks may have been aborted by another device's time-out.
    constexpr u64 command = VTD_QI_DEVTLB | u64{disk.value} << 32;
    EXPECT_FALSE(takeover_gives_up_device(&machine.unit, command, 1));
    // Its driver has reset it.
    machine.functions_answer = true;
    done(ats);
    EXPECT_FALSE(takeover_is_silent(&machine.unit, disk.value));
}

// The one that is asked does not answer, and nobody else is to blame.
TEST_P(DeviceState, AnotherDeviceHasItsChances) {
    machine.unit.asks = true;
    machine.unit.asked = disk.value;
    for (const Rid rid : {nic, disk})
        EXPECT_EQ(takeover_gives_up_device(&machine.unit, VTD_QI_DEVTLB | u64{rid.value} << 32, 1),
                  rid == disk);
}

// There is a queue, but for the command in it no way.
TEST_P(DeviceState, ACommandThatCannotBeSentIsNotAnswered) {
    machine.functions[disk] = {.rids = {disk.value}, .on = ats | pasid};
    machine.cannot_ask = -EINVAL;
    EXPECT_EQ(takeover_make_forget(&machine.unit, disk.value), -ETIMEDOUT);
    EXPECT_TRUE(takeover_is_silent(&machine.unit, disk.value));
}

// One when the guard asks it, and one when it is released: its driver may have reset it.
TEST_P(DeviceState, ADeviceThatHangsIsAskedAgainAtItsRelease) {
    machine.functions[disk] = {.rids = {disk.value}, .on = ats | pasid};
    machine.functions_answer = false;
    EXPECT_EQ(takeover_make_forget(&machine.unit, disk.value), -ETIMEDOUT);
    EXPECT_EQ(machine.time_outs, 1U);
    machine.events.clear();
    takeover_settle_device(&machine.unit, &machine.functions[disk], disk.value, ats | pasid);
    EXPECT_EQ(machine.time_outs, 2U);
    EXPECT_EQ(std::ranges::count(ops(), Op::InvDevtlb), 1);
}

INSTANTIATE_TEST_SUITE_P(Modes, DeviceState, testing::Values(Mode::Legacy, Mode::Scalable),
                         [](const auto& info) {
                             return info.param == Mode::Legacy ? "Legacy" : "Scalable";
                         });

} // namespace
