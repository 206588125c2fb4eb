// SPDX-License-Identifier: GPL-2.0-only
//
// Requests with PASIDs in small worlds: every type of translation beside every other one, in every
// order of what the drivers do. Ids that are scarce or the driver's are world_test.cpp's.

#include <algorithm>
#include <array>

#include <gtest/gtest.h>

#include "harness/crash_kernel.h"
#include "tests/worlds.h"

namespace {

using namespace vtd::harness;
using vtd::world::Domain;
using vtd::world::Paging;

// 9.6: what PGTT may say, and five levels where the first stage has them.
struct Kind {
    Paging paging;
    unsigned levels;
};
constexpr std::array kinds{Kind{Paging::second, 4}, Kind{Paging::first, 4}, Kind{Paging::first, 5},
                           Kind{Paging::nested, 4}, Kind{Paging::pass_through, 4}};

Domain domain_of(const Kind& kind, Did did, unsigned page) {
    // Where a second stage or nothing lies below, addresses are those of the old memory.
    const bool identity = kind.paging == Paging::nested || kind.paging == Paging::pass_through;
    return {.did = did,
            .paging = kind.paging,
            .levels = kind.levels,
            .pages = {{{identity ? target_page(page).value : 0x1000}, target_page(page)}}};
}

class PasidWorlds : public testing::TestWithParam<unsigned> {
protected:
    // Two devices that are in both domains, with PASIDs in one table and in two, and one of the
    // devices with a device-TLB.
    static Description description(const Kind& one, const Kind& other) {
        Description description = small_machine(Variant::of(GetParam()));
        description.units[0].capabilities.cap |= u64{1} << 60; // FL5LP
        description.domains = {domain_of(one, {2}, 0), domain_of(other, {3}, 2)};
        description.devices = {
            {.unit = 0, .rids = {Rid::of(0, 1, 0)}, .domain = 0, .streams = {{{5}, 1}}},
            {.unit = 0,
             .rids = {Rid::of(3, 20, 0)},
             .domain = 1,
             .ats = true,
             .streams = {{{5}, 0}, {{70}, 1}}}};
        return description;
    }
};

TEST_P(PasidWorlds, EveryTypeBesideEveryOther) {
    for (const Kind& one : kinds)
        for (const Kind& other : kinds) {
            std::array<std::size_t, 4> order{0, 0, 1, 1};
            do {
                World world(description(one, other));
                CrashKernel kernel(world);
                kernel.boot();
                EXPECT_EQ(world.units[0]->core.nr_dropped, 0U);
                kernel.map_in_steps(order);
                World::totals.schedules++;
            } while (std::ranges::next_permutation(order).found);
        }
}

INSTANTIATE_TEST_SUITE_P(Scalable, PasidWorlds, testing::Range(1U, Variant::all, 2U));

} // namespace
