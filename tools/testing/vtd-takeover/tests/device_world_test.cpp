// SPDX-License-Identifier: GPL-2.0-only
//
// Devices with all that a kernel may have switched on in them, in the harness: ATS, PASIDs, page
// requests. Nobody touches these before a device is released; whoever touches them after that is
// stopped by functions.cpp if the order is wrong.

#include <algorithm>

#include <gtest/gtest.h>

#include "harness/crash_kernel.h"
#include "tests/worlds.h"

namespace {

using namespace vtd::harness;

constexpr unsigned all_of_it = VTD_DEVICE_ATS | VTD_DEVICE_PASID | VTD_DEVICE_PRI;
constexpr std::size_t with_ats = 1; // of small_machine()

class DeviceWorlds : public testing::TestWithParam<unsigned> {
protected:
    static Variant variant() { return Variant::of(GetParam()); }
    // One of its devices has a device-TLB and, in scalable mode, two PASIDs.
    static Description machine() {
        Description description = small_machine(variant());
        if (variant().scalable)
            description.devices[with_ats].streams = {{{5}, 1}, {{70}, 0}};
        return description;
    }
    // One page more of the first domain leads there, so that the guard makes devices forget.
    static Description machine_into_the_kdump_kernel() {
        Description description = machine();
        description.domains[0].pages.push_back({{0x80000000}, vtd::world::crash_memory});
        return description;
    }
    static unsigned left() { return variant().scalable ? all_of_it : unsigned{VTD_DEVICE_ATS}; }
    static auto forgets(const World& world) {
        return std::ranges::count_if(
            world.trace, [](const auto& step) { return step.find("device-TLB") != step.npos; });
    }
};

TEST_P(DeviceWorlds, NothingIsTouchedBeforeTheRelease) {
    for (const auto mode : {TAKEOVER_ADOPT, TAKEOVER_BLOCK}) {
        World world(machine());
        CrashKernel kernel(world);
        kernel.boot(mode);
        const World::Function& function = world.functions[with_ats];
        for (const std::size_t other : {0U, 2U, 3U})
            kernel.map(other);
        EXPECT_EQ(function.on(), left());
        EXPECT_EQ(forgets(world), 0);

        kernel.release(with_ats);
        const unsigned pasid = variant().scalable ? VTD_DEVICE_PASID : 0;
        EXPECT_EQ(function.on(), pasid);
        EXPECT_EQ(function.ours, pasid);
        EXPECT_EQ(forgets(world), variant().scalable ? 4 : 2);
        EXPECT_TRUE(world.units[0]->hardware.caches().devices.empty());

        // What this kernel has switched on is its own.
        kernel.fill(with_ats, {0x1000}, CrashKernel::default_page);
        EXPECT_EQ(kernel.release(with_ats), 0);
        EXPECT_EQ(function.on(), pasid | VTD_DEVICE_ATS);
        EXPECT_EQ(forgets(world), variant().scalable ? 4 : 2);
    }
}

// Nothing is asked of a device that would not answer.
TEST_P(DeviceWorlds, AFunctionThatIsGone) {
    World world(machine());
    CrashKernel kernel(world);
    kernel.boot();
    world.functions[with_ats].gone = true;
    kernel.release(with_ats);
    EXPECT_EQ(forgets(world), 0);
}

TEST_P(DeviceWorlds, AFunctionThatItsDriverHasReset) {
    World world(machine());
    CrashKernel kernel(world);
    kernel.boot();
    world.functions[with_ats].device.reset();
    kernel.map(with_ats);
    EXPECT_EQ(forgets(world), 0);
}

// A minute and a half each, with interrupts off.
TEST_P(DeviceWorlds, AFunctionThatHangs) {
    World world(machine());
    CrashKernel kernel(world);
    kernel.boot();
    world.functions[with_ats].hung = true;
    kernel.release(with_ats);
    EXPECT_EQ(world.functions[with_ats].time_outs, 1U);
    EXPECT_FALSE(world.functions[with_ats].on() & VTD_DEVICE_ATS);
}

// The guard has something to make it forget, and its release.
TEST_P(DeviceWorlds, AFunctionThatHangsAndHadTooMuch) {
    World world(machine_into_the_kdump_kernel());
    CrashKernel kernel(world);
    world.functions[with_ats].hung = true;
    kernel.boot();
    EXPECT_EQ(world.functions[with_ats].time_outs, 1U);
    kernel.release(with_ats);
    EXPECT_EQ(world.functions[with_ats].time_outs, 2U);
}

// Nobody can ask it, so that it is blocked, and the unit has to hear of that. One that cannot be
// made to forget anything is found out.
TEST_P(DeviceWorlds, AFunctionThatHadTooMuchAndNoQueueToAskIt) {
    const bool can = !variant().scalable || variant().esrtps;
    Description description = can ? machine_into_the_kdump_kernel() : machine();
    description.units[0].capabilities.ecap |= u64{0x50} << 8; // IRO
    World world(description);
    CrashKernel kernel(world);
    World::Unit& unit = *world.units[0];
    const Rid rid = world.functions[with_ats].device.rid();
    world.functions[with_ats].hung = true;
    unit.core.queue_lost = true;
    kernel.boot();
    EXPECT_EQ(unit.core.stale, !can);
    EXPECT_EQ(unit.core.nr_dropped, can ? 1U : 0U);
    const bool known =
        std::ranges::any_of(unit.hardware.caches().contexts, [rid](const auto& line) {
            return line.rid == rid && line.entry.words[0] & 1;
        });
    EXPECT_EQ(known, !can);
}

// pci=nommconf, or a virtual function of a kernel without CONFIG_PCI_IOV: it goes on asking its
// device-TLB, and what the guard cut is in there.
TEST_P(DeviceWorlds, AFunctionThatCannotBeSeen) {
    for (const bool unseen : {false, true})
        for (const bool hung : {false, true}) {
            World world(machine_into_the_kdump_kernel());
            CrashKernel kernel(world);
            World::Function& function = world.functions[with_ats];
            (unseen ? function.unseen : function.header) = true;
            function.hung = hung;
            kernel.boot();
            EXPECT_EQ(forgets(world), hung ? 1 : variant().scalable ? 4 : 2);
            EXPECT_EQ(function.time_outs, hung);
            EXPECT_EQ(world.units[0]->core.nr_dropped, hung);
            for (const std::size_t other : {0U, 2U, 3U})
                kernel.map(other);
        }
}

// A virtual function that this kernel switched off when it found the others, or a card that was
// pulled: to ask it takes a time-out, and to block it is in vain.
TEST_P(DeviceWorlds, AFunctionThatIsNotThere) {
    World world(machine_into_the_kdump_kernel());
    CrashKernel kernel(world);
    World::Function& function = world.functions[with_ats];
    function.unseen = function.gone = true;
    function.device.reset();
    kernel.boot();
    EXPECT_EQ(forgets(world), 0);
    EXPECT_EQ(world.units[0]->core.nr_dropped, 0U);
    for (const std::size_t other : {0U, 2U, 3U})
        kernel.map(other);
}

// What its entry did not allow it to learn it does not know, and would not answer.
TEST_P(DeviceWorlds, AFunctionThatCannotBeSeenAndHasNoDeviceTlb) {
    World world(machine_into_the_kdump_kernel());
    CrashKernel kernel(world);
    world.functions[0].unseen = true; // of the same domain
    kernel.boot();
    EXPECT_EQ(world.units[0]->core.nr_dropped, 0U);
    EXPECT_EQ(forgets(world), variant().scalable ? 4 : 2);
}

// Nobody told the function that the unit has no such thing: its requests fault, and so would the
// invalidation.
TEST_P(DeviceWorlds, AUnitWithoutDeviceTlbs) {
    Description description = small_machine(variant());
    description.units[0].capabilities.ecap &= ~u64{VTD_ECAP_DT};
    description.devices[with_ats].ats = false;
    World world(description);
    CrashKernel kernel(world);
    world.functions[with_ats].device.set_ats(true);
    kernel.boot();
    kernel.map(with_ats);
    EXPECT_EQ(world.functions[with_ats].on(), 0U);
    EXPECT_EQ(forgets(world), 0);
}

// Nor has legacy mode invalidations by PASID, whatever somebody has switched on in the function.
TEST_P(DeviceWorlds, PasidsInLegacyMode) {
    if (variant().scalable)
        return;
    World world(machine());
    CrashKernel kernel(world);
    world.functions[with_ats].device.set_pasid(true);
    kernel.boot();
    kernel.map(with_ats);
    EXPECT_EQ(forgets(world), 2);
}

// A device that was held is unplugged. Whatever is plugged in there next has nothing of what it was
// allowed, and gets what its own driver maps. What firmware needs stays.
TEST_P(DeviceWorlds, WhateverIsPluggedInThereNext) {
    const Description description = machine_with_reserved_memory(variant());
    World world(description);
    CrashKernel kernel(world);
    kernel.boot();
    World::Unit& unit = *world.units[0];
    const auto reaches = [&](Rid rid, Iova iova) {
        const auto explored = unit.hardware.explore(Request{.rid = rid, .iova = iova});
        return std::ranges::any_of(explored.outcomes, [](const Outcome& outcome) {
            return std::holds_alternative<Translation>(outcome);
        });
    };
    constexpr std::size_t plain = 0, with_reserved = 2;
    for (const std::size_t device : {plain, with_reserved}) {
        const Rid rid = description.devices[device].rids[0];
        EXPECT_TRUE(reaches(rid, {0x1000}));
        world.reset(device);
        world.lock(unit.busy);
        EXPECT_EQ(takeover_lose_rid(&unit.core, rid.value), device == plain);
        world.settle();
        unit.busy = false;
        EXPECT_EQ(reaches(rid, {0x1000}), device == with_reserved);
    }
    kernel.map(plain, {0x8000});
    EXPECT_TRUE(reaches(description.devices[plain].rids[0], {0x8000}));
    EXPECT_FALSE(takeover_lose_rid(&unit.core, description.devices[plain].rids[0].value));
    EXPECT_TRUE(reaches(description.devices[plain].rids[0], {0x8000}));
}

// The next kdump kernel finds what the first one has switched on, or has not touched.
TEST_P(DeviceWorlds, ACrashKernelThatCrashes) {
    for (const bool mapped : {false, true}) {
        World world(machine());
        CrashKernel first(world);
        first.boot();
        if (mapped)
            first.map(with_ats);
        world.crash_again(true);
        CrashKernel second(world);
        second.boot();
        EXPECT_TRUE(world.functions[with_ats].on() & VTD_DEVICE_ATS);
        second.map(with_ats, {0x5000});
    }
}

INSTANTIATE_TEST_SUITE_P(All, DeviceWorlds, testing::Range(0U, Variant::all));

} // namespace
