// SPDX-License-Identifier: GPL-2.0-only
//
// The small worlds on each shape of unit that somebody has seen (hardware/units.tsv), in the modes
// that it has: orders of first mappings, races of two, blocked devices, all that can fail, damage,
// and tables that lead into the kdump kernel. floor_test has the same units and large machines.

#include <algorithm>
#include <numeric>
#include <string>

#include <gtest/gtest.h>

#include "harness/hardware.h"
#include "tests/races.h"
#include "tests/worlds.h"

namespace {

using namespace vtd::harness;
using vtd::world::Damage;
using vtd::world::Paging;

struct Kind {
    std::string shape;
    Capabilities capabilities;
    bool scalable;
};

const std::vector<Kind>& kinds() {
    static const auto all = [] {
        std::vector<Kind> found;
        for (const vtd::RealUnit& unit : vtd::shapes(vtd::real_units(HARDWARE))) {
            Capabilities can = unit.capabilities;
            // The worlds lie below 2^39.
            can.host_width = std::min(unit.address_bits, 39U);
            found.push_back({vtd::shape(unit), can, false});
            if (can.scalable() && can.second_stage())
                found.push_back({vtd::shape(unit), can, true});
        }
        return found;
    }();
    return all;
}

class Real : public testing::TestWithParam<std::size_t> {
protected:
    static const Kind& kind() { return kinds().at(GetParam()); }

    // What a kernel would have written on this unit.
    static Description on_this(Description description) {
        const Capabilities& can = kind().capabilities;
        description.units[0] = {can, kind().scalable};
        for (vtd::world::Domain& domain : description.domains) {
            if (domain.paging == Paging::pass_through && !can.pass_through())
                domain.paging = Paging::second;
            domain.levels = can.walks(3) ? 5 : can.walks(2) ? 4 : 3;
        }
        for (vtd::world::Device& device : description.devices)
            device.ats &= can.device_tlb();
        return description;
    }
    static Description machine() { return on_this(small_machine(Variant::of(kind().scalable))); }
    static Description with_reserved_memory() {
        return on_this(machine_with_reserved_memory(Variant::of(kind().scalable)));
    }

    static void all_map(const World& world, CrashKernel& kernel) {
        for (std::size_t device = 0; device < world.devices.size(); device++)
            kernel.map(device, {0x8000});
    }
    static Chances run(const Description& description, takeover_mode mode = TAKEOVER_ADOPT,
                       Failures failures = {}) {
        World world(description, failures);
        CrashKernel kernel(world);
        kernel.boot(mode);
        all_map(world, kernel);
        World::totals.schedules++;
        return world.chances;
    }
};

TEST_P(Real, EveryOrderOfFirstMappings) {
    const Description description = machine();
    std::vector<std::size_t> order(description.devices.size());
    std::iota(order.begin(), order.end(), 0);
    do {
        World world(description);
        CrashKernel kernel(world);
        kernel.boot();
        EXPECT_EQ(world.units[0]->core.nr_dropped, 0U) << kind().shape;
        EXPECT_EQ(world.units[0]->core.nr_adopted, 5U) << kind().shape;
        for (const std::size_t device : order)
            kernel.map(device);
        World::totals.schedules++;
    } while (std::ranges::next_permutation(order).found);
}

TEST_P(Real, ReservedMemoryOfBlockedDevices) { run(with_reserved_memory(), TAKEOVER_BLOCK); }

TEST_P(Real, AllocationsThatFail) {
    for (const takeover_mode mode : {TAKEOVER_ADOPT, TAKEOVER_BLOCK}) {
        const unsigned all = run(with_reserved_memory(), mode).allocations;
        for (unsigned n = 1; n <= all; n++)
            run(with_reserved_memory(), mode, {.allocation = n});
    }
}

TEST_P(Real, ReadsAndCommandsThatFail) {
    const Description description = on_this(one_unit(Variant::of(kind().scalable)));
    const Chances all = run(description);
    EXPECT_EQ(all.commands, 1U); // to set the root table
    for (unsigned n = 1; n <= all.old_reads; n++) {
        run(description, TAKEOVER_ADOPT, {.old_read = n});
        run(description, TAKEOVER_ADOPT, {.window = n});
    }
    for (const takeover_mode mode : {TAKEOVER_ADOPT, TAKEOVER_BLOCK})
        run(description, mode, {.command = 1});
}

// race_test has schedules of two changes.
TEST_P(Real, RaceOfTwoDevices) {
    const Description description = on_this(one_unit(Variant::of(kind().scalable)));
    for (const takeover_mode mode : {TAKEOVER_ADOPT, TAKEOVER_BLOCK})
        EXPECT_GT(race(
                      description, [mode](CrashKernel& kernel) { kernel.boot(mode); }, both_map, 1),
                  10U);
}

// Pages of each size that the unit has, on both sides of each border of the kdump kernel's memory.
TEST_P(Real, PagesIntoTheKdumpKernel) {
    const Capabilities& can = kind().capabilities;
    for (unsigned level = 1; level <= 3; level++) {
        if (level > 1 && !can.large_second(level))
            continue;
        Description description = machine();
        vtd::world::Domain& domain = description.domains[0];
        const unsigned bits = page_bits + (level - 1) * level_bits;
        const u64 size = u64{1} << bits;
        u64 iova = u64{8} << 30;
        for (const u64 border :
             {vtd::world::crash_memory.value,
              vtd::world::crash_memory.value + vtd::world::crash_memory_distance})
            for (const u64 to : {(border - 1) & -size, border & -size}) {
                domain.pages.push_back({{iova}, {to}, bits});
                iova += 3 * size;
            }
        World world(description);
        CrashKernel kernel(world);
        kernel.boot();
        EXPECT_EQ(world.units[0]->core.nr_dropped, 0U) << kind().shape;
        EXPECT_GT(world.units[0]->core.nr_cut, 0U) << kind().shape;
        all_map(world, kernel);
    }
}

// Who passes through does not reach it either, as far as there are pages large enough.
TEST_P(Real, PassThroughIntoTheKdumpKernel) {
    const Capabilities& can = kind().capabilities;
    if (!can.pass_through() || !can.large_second(3))
        return;
    Description description = machine();
    const u64 crash = vtd::world::crash_memory.value;
    for (const u64 to : {crash - page_size, crash, crash + 0x5000})
        description.domains[2].pages.push_back({{to}, {to}});
    World world(description);
    CrashKernel kernel(world);
    kernel.boot();
    EXPECT_EQ(world.units[0]->core.nr_dropped, 0U) << kind().shape;
    EXPECT_EQ(world.units[0]->core.nr_unguarded, 0U) << kind().shape;
    all_map(world, kernel);
}

TEST_P(Real, DamagedPointers) {
    for (const u64 to : {vtd::world::crash_memory.value, vtd::world::registers.value, u64{0}})
        for (const Damage::Where where : {Damage::Where::root, Damage::Where::context}) {
            Description description = machine();
            description.damage = {{where, 0, 0, page_size - 1, to}};
            run(description);
        }
}

INSTANTIATE_TEST_SUITE_P(Shapes, Real, testing::Range(std::size_t{0}, kinds().size()));

} // namespace
