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
        EXPECT_EQ(forgets(world), variant().scalable ? 2 : 1);
        EXPECT_TRUE(world.units[0]->hardware.caches().devices.empty());

        // What this kernel has switched on is its own.
        kernel.fill(with_ats, {0x1000}, CrashKernel::default_page);
        EXPECT_EQ(kernel.release(with_ats), 0U);
        EXPECT_EQ(function.on(), pasid | VTD_DEVICE_ATS);
        EXPECT_EQ(forgets(world), variant().scalable ? 2 : 1);
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
    EXPECT_EQ(forgets(world), 1);
}

// The next crash kernel finds what the first one has switched on, or has not touched.
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
