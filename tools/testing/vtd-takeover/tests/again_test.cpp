// SPDX-License-Identifier: GPL-2.0-only
//
// A kdump kernel that crashes, too. The next one finds the tables of the one before it: entries of
// the kernel that crashed first that are still adopted, entries that block, and the drivers' own.
// It has to take all of them over as they are.

#include <gtest/gtest.h>

#include "harness/crash_kernel.h"
#include "tests/worlds.h"

namespace {

using namespace vtd::harness;
using vtd::world::buffers_of;

class Again : public testing::TestWithParam<unsigned> {
protected:
    static Variant variant() { return Variant::of(GetParam()); }

    // Of the buses that there are, and some more.
    static std::set<u32> held(World& world) {
        std::set<u32> found;
        for (u32 rid = 0; rid < 0x500; rid++)
            if (takeover_holds_rid(&world.units[0]->core, static_cast<u16>(rid)))
                found.insert(rid);
        world.settle();
        return found;
    }
};

TEST_P(Again, WithSomeDevicesReleased) {
    for (const takeover_mode mode : {TAKEOVER_ADOPT, TAKEOVER_BLOCK})
        for (const bool all_ram : {true, false})
            for (std::size_t before = 0; before <= 4; before++) {
                // A table for each bus makes these slow.
                if (mode == TAKEOVER_BLOCK && before % 3)
                    continue;
                SCOPED_TRACE(testing::Message() << "mode " << mode << ", " << before << " before"
                                                << (all_ram ? "" : ", own RAM alone"));
                World world(machine_with_reserved_memory(variant()));
                CrashKernel first(world);
                first.boot(mode);
                for (std::size_t device = 0; device < before; device++)
                    first.map(device, {0x1000 + device * 0x1000});
                const std::set<u32> waiting = held(world);
                const unsigned adopted = world.units[0]->core.nr_adopted;

                world.crash_again(all_ram);
                CrashKernel second(world);
                second.boot();
                const takeover_unit& unit = world.units[0]->core;
                EXPECT_EQ(unit.state, TAKEOVER_INSTALLED);
                if (all_ram) {
                    EXPECT_EQ(unit.nr_dropped + unit.nr_tables_dropped, 0U);
                    // All that waited, and what the drivers had.
                    EXPECT_TRUE(std::ranges::includes(held(world), waiting));
                    if (mode == TAKEOVER_ADOPT) {
                        EXPECT_EQ(unit.nr_adopted, adopted);
                    }
                }
                for (std::size_t device = 0; device < world.devices.size(); device++)
                    second.map(device, {0x8000}, buffers_of(1));
                World::totals.schedules++;
            }
}

// Between the two steps of a first mapping a device has neither the old entry nor a new one.
TEST_P(Again, InTheMidstOfARelease) {
    for (std::size_t device = 0; device < 4; device++) {
        World world(machine_with_reserved_memory(variant()));
        CrashKernel first(world);
        first.boot();
        first.release(device);
        world.crash_again(true);
        CrashKernel second(world);
        second.boot();
        for (std::size_t each = 0; each < world.devices.size(); each++)
            second.map(each, {0x1000}, buffers_of(1));
    }
}

INSTANTIATE_TEST_SUITE_P(All, Again, testing::Range(0U, Variant::all));

} // namespace
