// SPDX-License-Identifier: GPL-2.0-only
//
// Old tables that no kernel would write: each word on the way to a device's pages damaged in each
// of many ways. What is untouched stays alive; what is touched is blocked, or goes where the
// damaged tables say; the work stays in proportion.

#include <gtest/gtest.h>

#include "harness/crash_kernel.h"
#include "tests/worlds.h"

namespace {

using namespace vtd::harness;
using vtd::world::Damage;

constexpr u64 pointer = ~u64{0} << page_bits;

// Where a pointer should not lead. Kdump kernel's memory is not among them for page tables: their
// walk is the guard's, which is still to come.
constexpr u64 places[] = {0,
                          vtd::world::registers.value,
                          0xfee00000,
                          vtd::world::firmware_memory.value,
                          vtd::world::old_memory.value,   // a root table
                          vtd::world::first_target.value, // a buffer
                          vtd::world::old_memory.value + vtd::world::old_memory_size - page_size,
                          vtd::world::old_memory.value + vtd::world::old_memory_size,
                          vtd::world::crash_memory.value,
                          u64{1} << 38,
                          u64{1} << 45,
                          pointer};

class Hostile : public testing::TestWithParam<unsigned> {
protected:
    static Variant variant() { return Variant::of(GetParam()); }

    static void run(const Damage& damage) { run(small_machine(variant()), damage, {}); }

    static void run(Description description, const Damage& damage, Failures failures) {
        description.damage = {damage};
        SCOPED_TRACE(testing::Message() << description);
        World world(description, failures);
        CrashKernel kernel(world);
        kernel.boot();
        // One read a table, three an entry; a page a table, three for the work. The guard has
        // nine for its own, some for what it knows, and reads each table once more.
        EXPECT_LE(world.chances.old_reads, 4U + 3 * 3 + 3 * 128 + 3 * 128 + 16);
        EXPECT_LE(world.chances.allocations, 3U + 4 + 9 + 8 + 16);
        for (std::size_t device = 0; device < description.devices.size(); device++)
            kernel.map(device);
        World::totals.schedules++;
    }
};

TEST_P(Hostile, Pointers) {
    for (const auto where : {Damage::Where::root, Damage::Where::context, Damage::Where::directory,
                             Damage::Where::pasid})
        for (const u64 place : places)
            for (const std::size_t device : {0U, 2U})
                run({where, device, 0, ~pointer, place});
}

// CLOSED: what leads out of the old RAM is dropped, and nobody hears of it again.
TEST_P(Hostile, WhatIsDroppedIsSilent) {
    for (const auto where : {Damage::Where::root, Damage::Where::context})
        for (const u64 place : {vtd::world::registers.value, u64{0xfee00000},
                                vtd::world::crash_memory.value, u64{1} << 45}) {
            Description description = small_machine(variant());
            description.damage = {{where, 0, 0, ~pointer, place}};
            World world(description);
            CrashKernel kernel(world);
            kernel.boot();
            const Request request{.rid = description.devices[0].rids.front(), .iova = {0x1000}};
            for (const Outcome& outcome : world.units[0]->hardware.explore(request).outcomes) {
                const auto* fault = std::get_if<Fault>(&outcome);
                EXPECT_TRUE(fault && !fault->recorded) << place;
            }
        }
}

TEST_P(Hostile, RootTable) {
    for (const u64 place : places)
        run({Damage::Where::rtaddr, 0, 0, ~pointer, place});
}

// The core header cannot be read: what the kdump kernel knows of addresses has to do.
TEST_P(Hostile, WithoutAMap) {
    for (const auto where : {Damage::Where::rtaddr, Damage::Where::root, Damage::Where::context})
        for (const u64 place : places)
            run(small_machine(variant()), {where, 0, 0, ~pointer, place}, {.old_read = 1});
}

// It begins in old RAM, and ends beyond.
TEST_P(Hostile, ADirectoryAtTheEndOfRam) {
    Description description = small_machine(variant());
    if (!variant().scalable)
        return;
    description.devices[0].streams = {{{1}, 1}};
    constexpr u64 last = vtd::world::old_memory.value + vtd::world::old_memory_size - page_size;
    run(description, {Damage::Where::context, 0, 0, ~pointer, last}, {});
}

// 11.4.5: neither the other mode, nor what is reserved, nor a unit that aborts can be adopted.
TEST_P(Hostile, AModeOfTables) {
    for (u64 mode = 0; mode < 4; mode++) {
        if (mode == static_cast<u64>(variant().scalable))
            continue;
        Description description = small_machine(variant());
        description.damage = {
            {Damage::Where::rtaddr, 0, 0, ~rtaddr::ttm.mask(), rtaddr::ttm.make(mode)}};
        World world(description);
        CrashKernel kernel(world);
        kernel.learn();
        kernel.snapshot(0);
        kernel.adopt(0);
        EXPECT_TRUE(world.units[0]->core.blocked) << mode;
        EXPECT_EQ(world.units[0]->core.nr_adopted, 0U);
    }
}

TEST_P(Hostile, SingleBits) {
    for (const auto where : {Damage::Where::root, Damage::Where::context, Damage::Where::directory,
                             Damage::Where::pasid, Damage::Where::paging})
        for (unsigned word = 0; word < 2; word++)
            for (unsigned bit = 0; bit < 64; bit++) {
                // A page table that leads elsewhere is the guard's.
                const u64 mask = u64{1} << bit;
                if (where == Damage::Where::paging && (word || mask & pointer))
                    continue;
                run({where, 0, word, ~mask, 0});
                run({where, 0, word, ~u64{0}, mask});
            }
}

TEST_P(Hostile, Ones) {
    for (const auto where : {Damage::Where::root, Damage::Where::context, Damage::Where::directory,
                             Damage::Where::pasid})
        for (unsigned word = 0; word < 2; word++)
            run({where, 0, word, 0, ~u64{0}});
}

// Coherency and the write buffer do not matter to what is read.
INSTANTIATE_TEST_SUITE_P(All, Hostile, testing::Values(0U, 1U, 8U + 2, 8U + 3));

} // namespace
