// SPDX-License-Identifier: GPL-2.0-only
//
// Fault storms: devices that fault without end. Few of their faults are recorded, the processor is
// interrupted a bounded number of times, and what their DMA gets to stays as it was.

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "harness/crash_kernel.h"
#include "harness/fault_handler.h"
#include "tests/worlds.h"

namespace {

using namespace vtd::harness;
using vtd::world::buffers_of;
using vtd::world::Damage;

constexpr unsigned faults_of_one = 4; // that are heard
constexpr unsigned burst = 64;        // of whatever kind, between two turns of the work
constexpr Iova nowhere{0x70000000};   // what no domain maps

class Storms : public testing::TestWithParam<unsigned> {
protected:
    static Variant variant() { return Variant::of(GetParam()); }
    static Request read(Rid rid) { return {.rid = rid, .iova = nowhere, .access = Access::read}; }

    // Of a requester that is silent no outcome is recorded, whatever the caches hold.
    static bool heard(World& world, Rid rid) {
        for (const Outcome& outcome : world.units[0]->hardware.explore(read(rid)).outcomes)
            if (const auto* fault = std::get_if<Fault>(&outcome); fault && fault->recorded)
                return true;
        return false;
    }
    static void expect_silent(World& world, Rid rid) {
        if (heard(world, rid))
            throw Violation(
                Invariant::closed,
                fmt::format("{:#x} faults again and again, and is recorded", rid.value));
    }
    static void expect_at_most(unsigned found, unsigned most, const char* what) {
        if (found > most)
            throw Violation(Invariant::closed, fmt::format("{} {} in a storm", found, what));
    }

    // Of somebody else in a new table, in a line that nobody has written since: there is no entry,
    // whatever was in that memory before.
    static void expect_absent(World& world, Rid rid) {
        for (const Outcome& outcome : world.units[0]->hardware.explore(read(rid)).outcomes) {
            const auto* fault = std::get_if<Fault>(&outcome);
            if (!fault || (fault->reason != Reason::context_not_present &&
                           fault->reason != Reason::sm_context_not_present))
                throw Violation(Invariant::closed, fmt::format("{:#x} has an entry", rid.value));
        }
    }

    // No more faults come: the work is soon at its end.
    static void rest(FaultHandler& handler) {
        for (unsigned turns = 0; handler.work(); turns++)
            expect_at_most(turns, 10, "turns of the work");
    }

    // One requester faults so many times; the work comes now and then.
    static void storm(FaultHandler& handler, Rid rid, unsigned faults = 500) {
        for (unsigned i = 0; i < faults; i++) {
            handler.refused(read(rid));
            if (i % 50 == 49)
                handler.work();
        }
        rest(handler);
    }

    static long lines(const World& world, const std::string& part) {
        return std::ranges::count_if(
            world.log, [&](const std::string& line) { return line.find(part) != line.npos; });
    }

    // A storm of one requester in a machine, from beginning to end.
    static void one(World& world, Rid rid, takeover_mode mode = TAKEOVER_ADOPT) {
        CrashKernel kernel(world);
        kernel.boot(mode);
        FaultHandler handler(world, 0);
        storm(handler, rid);
        // What is in the record when the handler goes deaf comes on top.
        expect_at_most(handler.handled, faults_of_one + 1, "records");
        expect_at_most(handler.interrupts, faults_of_one + 1, "interrupts");
        expect_silent(world, rid);
        EXPECT_EQ(lines(world, "it faults again and again"), handler.handled ? 1 : 0);
        world.check();
    }
};

TEST_P(Storms, OfAnAdoptedDevice) {
    for (const std::size_t device : {0U, 1U, 2U}) {
        World world(small_machine(variant()));
        const Rid rid = world.devices[device].rids.back();
        one(world, rid);
        EXPECT_TRUE(takeover_holds_rid(&world.units[0]->core, rid.value));
        world.settle();
        for (std::size_t each = 0; each < world.devices.size(); each++)
            EXPECT_EQ(heard(world, world.devices[each].rids.back()),
                      each != device && each != 3) // passed through: nothing faults
                << each;
        CrashKernel kernel(world);
        for (std::size_t each = 0; each < world.devices.size(); each++)
            kernel.map(each);
    }
}

// On a bus with a table, and on one without; in scalable mode in either half.
TEST_P(Storms, OfADeviceWithoutAnEntry) {
    for (const Rid rid :
         {Rid::of(0, 9, 0), Rid::of(3, 30, 1), Rid::of(0x55, 3, 0), Rid::of(0x55, 31, 7)}) {
        World world(small_machine(variant()));
        one(world, rid);
        EXPECT_TRUE(takeover_blocks_rid(&world.units[0]->core, rid.value));
        world.settle();
        // Neighbours are not silenced with it.
        EXPECT_TRUE(heard(world, {static_cast<u16>(rid.value ^ 8)}));
        if (rid.bus() == 0x55)
            expect_absent(world, {static_cast<u16>(rid.value ^ 0x40)});
        CrashKernel kernel(world);
        for (std::size_t each = 0; each < world.devices.size(); each++)
            kernel.map(each);
    }
}

// FPD does not count where reserved bits of the entry itself are set.
TEST_P(Storms, OfADeviceWithADamagedEntry) {
    Description description = small_machine(variant());
    description.damage = {{Damage::Where::context, 0, 1, ~u64{0}, u64{1} << 63}};
    World world(description);
    one(world, world.devices[0].rids[0]);
    CrashKernel kernel(world);
    for (std::size_t each = 0; each < world.devices.size(); each++)
        kernel.map(each);
}

TEST_P(Storms, OfABlockedDevice) {
    World world(machine_with_reserved_memory(variant()));
    CrashKernel kernel(world);
    kernel.boot(TAKEOVER_BLOCK);
    FaultHandler handler(world, 0);
    for (const ::device& device : world.devices)
        storm(handler, device.rids.back());
    expect_at_most(handler.handled, 0, "records");
    EXPECT_EQ(lines(world, "it faults again and again"), 0);
}

// What has been released is the driver's, however often it faulted before. Of the driver's own
// faults the rate is bounded, and nothing else.
TEST_P(Storms, OfAReleasedDevice) {
    World world(small_machine(variant()));
    CrashKernel kernel(world);
    kernel.boot();
    FaultHandler handler(world, 0);
    const Rid rid = world.devices[0].rids[0];
    for (unsigned i = 0; i < faults_of_one; i++)
        handler.refused(read(rid));
    kernel.map(0);
    for (unsigned turn = 0; turn < 10; turn++) {
        const unsigned before = handler.handled;
        for (unsigned i = 0; i < 1000; i++)
            handler.refused(read(rid));
        expect_at_most(handler.handled - before, burst, "records between two turns of the work");
        EXPECT_TRUE(handler.work());
        if (!heard(world, rid))
            throw Violation(Invariant::fresh, "a released device is silenced");
    }
    EXPECT_GE(handler.handled, 9 * burst);
    world.reaches(*world.units[0], rid, {0x1000}, CrashKernel::default_page);
    EXPECT_EQ(lines(world, "it faults again and again"), 0);
}

// A silenced device gets its driver, which wants to hear of faults.
TEST_P(Storms, ThenARelease) {
    World world(small_machine(variant()));
    one(world, world.devices[0].rids[0]);
    CrashKernel kernel(world);
    EXPECT_EQ(kernel.release(0), 1);
    kernel.fill(0, {0x1000}, CrashKernel::default_page);
    if (!heard(world, world.devices[0].rids[0]))
        throw Violation(Invariant::fresh, "a released device is silent");
}

// The unit is faster than the handler: each record that is cleared is followed by another.
TEST_P(Storms, FasterThanTheHandler) {
    World world(small_machine(variant()));
    CrashKernel kernel(world);
    kernel.boot();
    kernel.map(0);
    FaultHandler handler(world, 0);
    const Rid rid = world.devices[0].rids[0];
    unsigned more = 10000;
    handler.meanwhile = [&] {
        if (more && --more)
            world.units[0]->hardware.record(read(rid), {Reason::no_read});
    };
    for (unsigned turn = 1; turn < 5; turn++) {
        handler.refused(read(rid));
        expect_at_most(handler.handled, turn * burst, "records in one go");
        expect_at_most(handler.interrupts, 2 * turn, "interrupts");
        EXPECT_TRUE(handler.work());
    }
    handler.meanwhile = [] {};
    rest(handler);
    // What comes then is told of.
    const unsigned before = handler.interrupts;
    handler.refused(read(rid));
    EXPECT_EQ(handler.interrupts, before + 1);
}

// Many that take turns: none has an end by itself, and all come to an end.
TEST_P(Storms, OfACrowd) {
    World world(small_machine(variant()));
    CrashKernel kernel(world);
    kernel.boot();
    FaultHandler handler(world, 0);
    std::vector<Rid> crowd;
    for (unsigned i = 0; i < 40; i++)
        crowd.push_back(Rid::of(0x10 + i % 3, i / 3, 1));
    unsigned quiet_rounds = 0;
    for (unsigned round = 0; round < 400 && quiet_rounds < 20; round++) {
        const unsigned before = handler.handled;
        for (const Rid rid : crowd)
            handler.refused(read(rid));
        handler.work();
        quiet_rounds = handler.handled == before ? quiet_rounds + 1 : 0;
    }
    expect_at_most(handler.handled,
                   static_cast<unsigned>(crowd.size()) * (faults_of_one + 1) +
                       TAKEOVER_NOISY * faults_of_one,
                   "records");
    for (const Rid rid : crowd)
        expect_silent(world, rid);
    EXPECT_EQ(lines(world, "it faults again and again"), TAKEOVER_REPORTS_MAX);
    EXPECT_EQ(lines(world, "are not named"), 1);
}

// Before our root table is installed there is no entry to change: only deafness helps.
TEST_P(Storms, BeforeTheRootTable) {
    World world(small_machine(variant()));
    CrashKernel kernel(world);
    kernel.learn();
    kernel.snapshot(0);
    FaultHandler handler(world, 0);
    const Rid rid = world.devices[0].rids[0];
    for (unsigned i = 0; i < 1000; i++)
        handler.refused(read(rid));
    expect_at_most(handler.handled, burst, "records");
    EXPECT_TRUE(handler.work());
    kernel.adopt(0);
    kernel.install(0);
    handler.handled = handler.interrupts = 0;
    storm(handler, rid);
    expect_at_most(handler.handled, faults_of_one + 1, "records");
    expect_silent(world, rid);
}

TEST_P(Storms, ThenASecondCrash) {
    const Description description = machine_with_reserved_memory(variant());
    for (const Rid rid : {description.devices[0].rids[0], Rid::of(0, 9, 0), Rid::of(0x55, 31, 7)}) {
        World world(description);
        one(world, rid);
        world.crash_again(true);
        CrashKernel second(world);
        second.boot();
        EXPECT_EQ(world.units[0]->core.nr_dropped, 0U);
        expect_silent(world, rid);
        for (std::size_t device = 0; device < world.devices.size(); device++)
            second.map(device, {0x8000}, buffers_of(1));
    }
}

INSTANTIATE_TEST_SUITE_P(All, Storms, testing::Range(0U, Variant::all));

} // namespace
