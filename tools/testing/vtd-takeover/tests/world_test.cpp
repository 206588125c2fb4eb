// SPDX-License-Identifier: GPL-2.0-only
//
// The takeover's own code in the harness: small worlds, every order of what the drivers do, every
// capability that changes what software has to do.

#include <algorithm>
#include <array>
#include <numeric>
#include <utility>

#include <gtest/gtest.h>

#include "harness/crash_kernel.h"
#include "tests/worlds.h"

namespace {

using namespace vtd::harness;
using vtd::world::Paging;

class Worlds : public testing::TestWithParam<unsigned> {
protected:
    static Variant variant() { return Variant::of(GetParam()); }
};

TEST_P(Worlds, EveryOrderOfFirstMappings) {
    const Description description = small_machine(variant());
    std::vector<std::size_t> order(description.devices.size());
    std::iota(order.begin(), order.end(), 0);
    do {
        World world(description);
        CrashKernel kernel(world);
        kernel.boot();
        for (const std::size_t device : order)
            kernel.map(device); // the same address as before
        World::totals.schedules++;
        ASSERT_GT(world.steps, 45U);
    } while (std::ranges::next_permutation(order).found);
}

// Between the two steps of a device, those of others: three devices, 90 orders.
TEST_P(Worlds, EveryOrderOfSteps) {
    Description description = small_machine(variant());
    description.devices.erase(description.devices.begin());
    std::vector<std::size_t> order{0, 0, 1, 1, 2, 2};
    do {
        World world(description);
        CrashKernel kernel(world);
        kernel.boot();
        kernel.map_in_steps(order);
        World::totals.schedules++;
    } while (std::ranges::next_permutation(order).found);
}

// Of a unit with 256 ids the last one is 255. New domains get the first that is free, so that only
// the note of it can tell.
TEST_P(Worlds, EveryIdIsReserved) {
    for (const u16 did : std::initializer_list<u16>{5, 100, 254, 255}) {
        Description description = small_machine(variant());
        description.domains[1].did = {did};
        World world(description);
        CrashKernel kernel(world);
        kernel.boot();
        EXPECT_TRUE(world.units[0]->used.contains({did})) << did;
    }
}

// Two devices of one requester id and another one: the two are released together, and have one new
// domain.
void map_three(const Description& description, Rid shared) {
    for (const auto& order : {std::array{0U, 1U, 2U}, {1U, 2U, 0U}, {2U, 1U, 0U}}) {
        World world(description);
        CrashKernel kernel(world);
        kernel.boot();
        for (const unsigned device : order)
            kernel.map(device);
        EXPECT_FALSE(takeover_holds_rid(&world.units[0]->core, shared.value));
        EXPECT_EQ(world.units[0]->given.size(), 2U);
    }
}

// Behind a VMD all disks have its requester id, and a domain in common: the first of them that maps
// ends what was in flight of all.
TEST_P(Worlds, DisksBehindAVmd) {
    Description description = small_machine(variant());
    const Rid vmd = Rid::of(0, 0xe, 0);
    description.devices = {{.unit = 0, .rids = {vmd}, .domain = 0, .ats = false},
                           {.unit = 0, .rids = {vmd}, .domain = 0},
                           {.unit = 0, .rids = {Rid::of(0, 2, 0)}, .domain = 1}};
    map_three(description, vmd);
}

// As in scalable mode with PASIDs, each disk in a domain of its own, and with a device-TLB: it is
// the endpoint's, and what it knows of any of the disks goes when the first of them maps.
TEST_P(Worlds, DisksBehindAVmdWithADeviceTlb) {
    Description description = small_machine(variant());
    const Rid vmd = Rid::of(0, 0xe, 0);
    const vtd::world::Device disk{.unit = 0, .rids = {vmd}, .domain = 0, .ats = true};
    description.devices = {disk, disk, {.unit = 0, .rids = {Rid::of(0, 2, 0)}, .domain = 1}};
    if (variant().scalable) {
        for (std::size_t device : {0U, 1U})
            description.devices[device].streams = {{{5}, 1}, {{64}, 0}};
    }
    map_three(description, vmd);
}

// The endpoint's entry is damaged: all disks are blocked, and all are there again when one maps.
TEST_P(Worlds, DisksBehindABlockedVmd) {
    Description description = small_machine(variant());
    const Rid vmd = Rid::of(0, 0xe, 0);
    description.devices = {{.unit = 0, .rids = {vmd}, .domain = 0, .ats = true},
                           {.unit = 0, .rids = {vmd}, .domain = 0, .ats = true}};
    for (const unsigned first : {0U, 1U}) {
        World world(description);
        CrashKernel kernel(world);
        kernel.boot(TAKEOVER_BLOCK);
        kernel.map(first);
        kernel.map(1 - first, {0x2000});
        world.settle();
        world.reaches(*world.units[0], vmd, {0x1000}, CrashKernel::default_page);
        world.reaches(*world.units[0], vmd, {0x2000}, CrashKernel::default_page);
    }
}

// intel_iommu_takeover=adopt,reset: a device stops before its driver starts. Others go on, in the
// same domain and behind the same bridge, and its entry is still the takeover's until it maps.
TEST_P(Worlds, ADeviceThatIsReset) {
    const Description description = small_machine(variant());
    for (std::size_t device = 0; device < description.devices.size(); device++) {
        World world(description);
        CrashKernel kernel(world);
        kernel.boot();
        world.reset(device);
        for (const Rid rid : world.devices[device].rids)
            EXPECT_TRUE(takeover_holds_rid(&world.units[0]->core, rid.value));
        for (std::size_t other = 0; other < description.devices.size(); other++)
            kernel.map(other);
        for (const Rid rid : world.devices[device].rids)
            world.reaches(*world.units[0], rid, {0x1000}, CrashKernel::default_page);
    }
}

TEST_P(Worlds, Blocked) {
    const Description description = machine_with_reserved_memory(variant());
    World world(description);
    CrashKernel kernel(world);
    kernel.boot(TAKEOVER_BLOCK);
    for (std::size_t device = 0; device < description.devices.size(); device++)
        kernel.map(device);
}

// The harness does not look at a request again of which nothing has changed. Whatever changes
// counts: stores, flushes, commands, invalidations, resets, memory that becomes another's.
TEST_P(Worlds, WhatIsKnownOfRequestsIsSo) {
    for (const takeover_mode mode : {TAKEOVER_ADOPT, TAKEOVER_BLOCK})
        for (const bool damaged : {false, true}) {
            Description description = machine_with_reserved_memory(variant());
            if (damaged)
                description.damage = {{vtd::world::Damage::Where::pointer, 1, 1, 0xfff,
                                       vtd::world::crash_memory.value + 0x3000}};
            World world(description);
            world.doubts = true;
            CrashKernel kernel(world);
            kernel.boot(mode);
            kernel.map(0);
            world.reset(1);
            kernel.map(1);
            if (damaged)
                continue;
            world.crash_again(true);
            CrashKernel second(world);
            second.boot();
            second.map(2, {0x8000}, vtd::world::buffers_of(1));
        }
}

// Damage, or a unit that forgot what it can do: no command names such an id, and what it tags in
// the caches has to go nevertheless.
TEST_P(Worlds, AnIdThatTheUnitDoesNotHave) {
    Description description = small_machine(variant());
    description.domains[1].did = {0x105};
    World world(description);
    CrashKernel kernel(world);
    kernel.boot();
    for (const std::size_t device : {2U, 0U, 1U, 3U})
        kernel.map(device);
}

// A driver may attach its device again: what it has mapped by then is no longer the takeover's.
TEST_P(Worlds, ADeviceIsReleasedOnce) {
    World world(small_machine(variant()));
    CrashKernel kernel(world);
    kernel.boot();
    for (std::size_t device = 0; device < world.devices.size(); device++) {
        kernel.map(device);
        kernel.release(device);
        for (const Rid rid : world.devices[device].rids) {
            EXPECT_FALSE(takeover_holds_rid(&world.units[0]->core, rid.value));
            world.settle();
            world.reaches(*world.units[0], rid, {0x1000}, CrashKernel::default_page);
        }
    }
}

// 6.5.3.1: a root entry that changes while it is present. What the model keeps of walks does not
// depend on root entries, so that only the order can be held against the specification.
TEST_P(Worlds, ABusThatGetsATableOfItsOwn) {
    World world(small_machine(variant()));
    CrashKernel kernel(world);
    kernel.boot(TAKEOVER_BLOCK);
    const auto forgotten = [&] {
        return std::ranges::count(world.trace, "dmar0: context cache invalidated");
    };
    const auto before = forgotten();
    EXPECT_EQ(kernel.release(0), 1);
    // 6.1: what a unit in caching mode knows of an entry that is not present.
    EXPECT_EQ(std::ranges::count(world.trace, "dmar0: context entry 0x8 of domain 0 invalidated"),
              1);
    kernel.fill(0, {0x1000}, CrashKernel::default_page);
    EXPECT_EQ(kernel.release(0), 0);
    EXPECT_EQ(forgotten(), before + 1);
    kernel.map(3); // of the same bus
    EXPECT_EQ(forgotten(), before + 1);
}

// A domain that nobody uses but with a PASID has an id, too: the one that a kernel gives first.
TEST_P(Worlds, IdsOfPasids) {
    if (!variant().scalable)
        return;
    for (const u32 pasid : {1U, 63U, 64U, 70000U}) {
        Description description = small_machine(variant());
        description.devices = {
            {.unit = 0, .rids = {Rid::of(0, 1, 0)}, .domain = 1},
            {.unit = 0, .rids = {Rid::of(0, 2, 0)}, .domain = 1, .streams = {{{pasid}, 0}}}};
        for (const std::size_t first : {0U, 1U}) {
            World world(description);
            CrashKernel kernel(world);
            kernel.boot();
            kernel.map(first);
            kernel.map(1 - first);
        }
    }
}

// 9.4: where a unit has ECAP.RPS, requests without a PASID need not be those of PASID 0.
TEST_P(Worlds, IdsOfRidPasid) {
    if (!variant().scalable)
        return;
    for (const u32 pasid : {1U, 63U, 64U, 70000U}) {
        Description description = small_machine(variant());
        description.units[0].capabilities.ecap |= u64{1} << 49;
        description.devices = {
            {.unit = 0, .rids = {Rid::of(0, 1, 0)}, .domain = 1},
            {.unit = 0, .rids = {Rid::of(0, 2, 0)}, .domain = 0, .rid_pasid = {pasid}}};
        for (const std::size_t first : {0U, 1U}) {
            World world(description);
            CrashKernel kernel(world);
            kernel.boot();
            kernel.map(first);
            kernel.map(1 - first);
        }
    }
}

// 6.2.3.1: what the driver tags with its own id may go on under it, and nothing else may: not even
// before a driver has mapped.
TEST_P(Worlds, TheIdOfTheDriver) {
    for (const Paging paging :
         {Paging::second, Paging::pass_through, Paging::first, Paging::nested}) {
        const bool of_process = paging == Paging::first || paging == Paging::nested;
        if (of_process && !variant().scalable)
            continue;
        Description description = small_machine(variant());
        description.domains[0].did = of_driver;
        description.domains[1].did = {2}; // the first that a new one could get
        description.domains[0].paging = paging;
        if (paging == Paging::nested || paging == Paging::pass_through)
            description.domains[0].pages = {{{target_page(0).value}, target_page(0)}};
        description.devices[1].ats &= paging != Paging::pass_through;
        if (variant().scalable) {
            description.devices[2].rids.pop_back();
            description.devices[2].streams = {{{70}, 0}, {{71}, 1}, {{130}, 0}};
        }
        for (const auto& order : {std::array{0U, 1U, 2U, 3U}, {2U, 3U, 1U, 0U}}) {
            World world(description);
            CrashKernel kernel(world);
            kernel.boot();
            const takeover_unit& unit = world.units[0]->core;
            EXPECT_EQ(unit.nr_dropped, 0U);
            EXPECT_EQ(unit.nr_copies != 0,
                      variant().scalable && (paging == Paging::second || paging == Paging::nested));
            for (const std::size_t device : order)
                kernel.map(device);
        }
    }
}

// A unit with 16 ids, of which two are Linux's, and as many domains.
class FewIds : public Worlds {
protected:
    static constexpr std::size_t ids = 14;

    // The first `sharing` devices have one domain, as in a virtual machine; all others one each.
    static Description crowd(std::size_t sharing) {
        Description description = small_machine(variant());
        description.units[0].capabilities.cap &= ~u64{7};
        description.domains.clear();
        description.devices.clear();
        for (unsigned n = 0; n < ids; n++)
            description.domains.push_back(
                {.did = {static_cast<u16>(n + 2)}, .pages = {{{0x1000}, target_page(n)}}});
        for (unsigned n = 0; n < ids + sharing - 1; n++)
            description.devices.push_back({.unit = 0,
                                           .rids = {Rid::of(0, n, 0)},
                                           .domain = n < sharing ? 0 : n - (sharing - 1)});
        return description;
    }

    static std::size_t blocked(World& world) {
        return static_cast<std::size_t>(
            std::ranges::count_if(world.devices, [&](const ::device& device) {
                return takeover_blocks_rid(&world.units[0]->core, device.rids[0].value);
            }));
    }
};

// Who maps gives back an id and takes one: nobody else needs to go.
TEST_P(FewIds, AreEnoughForAsManyDomains) {
    World world(crowd(1));
    CrashKernel kernel(world);
    kernel.boot();
    for (std::size_t device = 0; device < world.devices.size(); device++) {
        kernel.map(device);
        ASSERT_EQ(blocked(world), 0U) << device;
    }
}

// The first and second of three that share an id need another one: those of two others, who map
// later or never.
TEST_P(FewIds, AreTakenFromOthers) {
    for (const bool shared_is_highest : {false, true}) {
        Description description = crowd(3);
        if (shared_is_highest)
            std::swap(description.domains.front().did, description.domains.back().did);
        World world(description);
        CrashKernel kernel(world);
        kernel.boot();
        for (std::size_t device = 0; device < ids; device++) {
            kernel.map(device);
            // Of those that share nobody has to go: that would free nothing.
            ASSERT_EQ(blocked(world), std::min<std::size_t>(device + 1, 2)) << device;
        }
    }
}

// A domain that is there for one PASID of a device has an id as well: the highest, here.
TEST_P(FewIds, OfPasidsAreInUse) {
    if (!variant().scalable)
        return;
    Description description = crowd(3);
    description.devices.pop_back();
    description.devices[2].streams = {{{70}, ids - 1}};
    World world(description);
    CrashKernel kernel(world);
    kernel.boot();
    kernel.map(0);
    EXPECT_EQ(blocked(world), 1U);
    EXPECT_TRUE(takeover_blocks_rid(&world.units[0]->core, description.devices[2].rids[0].value));
}

// Before it maps the last device, whose id is the highest, is reached by nobody but firmware.
TEST_P(FewIds, AreNotTakenFromFirmware) {
    Description description = crowd(2);
    vtd::world::Device& last = description.devices.back();
    last.reserved = true;
    description.domains[last.domain].pages.push_back(
        {{vtd::world::firmware_memory.value}, vtd::world::firmware_memory});
    World world(description);
    CrashKernel kernel(world);
    kernel.boot();
    kernel.map(0);
    EXPECT_EQ(blocked(world), 1U);
    EXPECT_FALSE(takeover_blocks_rid(&world.units[0]->core, last.rids[0].value));
}

INSTANTIATE_TEST_SUITE_P(All, FewIds, testing::Range(0U, Variant::all));
// What option_test.cpp says at length, for mutants: every read of the code is watched here.
TEST(Option, IsReadToItsEnd) {
    const World world(small_machine(Variant::of(0)));
    takeover_options options{};
    EXPECT_EQ(takeover_parse_options("block,reset,noguard,quarantine=block", &options), 0);
    EXPECT_EQ(options.mode, TAKEOVER_BLOCK);
    EXPECT_TRUE(options.reset && options.noguard);
    EXPECT_EQ(options.quarantine, TAKEOVER_CUT);
    for (const char* value : {"adop", "adopt,", "adopt,rese", "adopt,perhaps"})
        EXPECT_EQ(takeover_parse_options(value, &options), -EINVAL) << value;
    EXPECT_EQ(options.mode, TAKEOVER_BLOCK);
    EXPECT_TRUE(options.reset && options.noguard);
}

INSTANTIATE_TEST_SUITE_P(All, Worlds, testing::Range(0U, Variant::all));

} // namespace
