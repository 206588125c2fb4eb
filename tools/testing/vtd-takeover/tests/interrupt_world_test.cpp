// SPDX-License-Identifier: GPL-2.0-only
//
// The old interrupt table and the old invalidation queue, taken over while devices send and the
// queue runs. What has to become of each entry is said by hand, never read off the code under test.

#include <cerrno>

#include <gtest/gtest.h>

#include "harness/crash_kernel.h"
#include "harness/vectors.h"
#include "tests/worlds.h"

namespace {

using namespace vtd::harness;
using Fate = vtd::world::Interrupt::Fate;
using vtd::model::irte::Delivery;

constexpr Rid nic = Rid::of(0, 1, 0), disk = Rid::of(0, 31, 2);

class InterruptWorlds : public testing::TestWithParam<unsigned> {
protected:
    // Coherent or not; the cache emptied with the table or not; both modes of the kdump kernel and
    // of the old one.
    static bool coherent() { return GetParam() & 1; }
    static bool flushes() { return GetParam() & 2; }
    static bool now_x2apic() { return GetParam() & 4; }
    static bool was_x2apic() { return GetParam() & 8; }

    static Description machine(unsigned entries = 256) {
        Description description = small_machine({.scalable = false,
                                                 .coherent = coherent(),
                                                 .write_buffer = false,
                                                 .caching_mode = false,
                                                 .esrtps = false});
        Capabilities& can = description.units[0].capabilities;
        can.ecap |= u64{1} << 1 | u64{1} << 3 | u64{1} << 4; // QI, IR, EIM
        can.cap |= u64{1} << 59 | u64{flushes()} << 62;      // PI, ESIRTPS
        description.units[0].interrupt_entries = entries;
        description.units[0].x2apic = was_x2apic();
        return description;
    }

    // A posted entry, and what its descriptor has a processor notified by.
    static vtd::world::Interrupt notify(u16 index, unsigned notification, Fate fate) {
        return {.unit = 0,
                .index = index,
                .rid = nic,
                .vector = static_cast<u8>(notification),
                .descriptor = vtd::world::first_target + 0x100000 + index * posted_descriptor::size,
                .xapic = fate,
                .x2apic = fate};
    }

    static int take_over(World& world, CrashKernel& kernel) {
        vtd::learn_vectors(world.units[0]->core);
        kernel.learn();
        kernel.snapshot(0);
        kernel.stop_queue(0);
        const int ret = kernel.remap(0, now_x2apic());
        kernel.adopt(0);
        kernel.install(0);
        return ret;
    }
};

TEST_P(InterruptWorlds, EntriesOfEachKind) {
    Description description = machine();
    const Hpa descriptor = vtd::world::first_target + 0x100000;
    const bool same = was_x2apic() == now_x2apic();
    const Fate posted = same ? Fate::stays : Fate::blocked;
    description.interrupts = {
        {.unit = 0, .index = 0, .rid = nic, .vector = 0x31, .destination = 1},
        {.unit = 0,
         .index = 1,
         .rid = disk,
         .vector = 0xea,
         .destination = 3,
         .delivery = Delivery::lowest},
        {.unit = 0,
         .index = 7,
         .rid = nic,
         .vector = 0x14,
         .xapic = Fate::blocked,
         .x2apic = Fate::blocked}, // an exception's
        {.unit = 0,
         .index = 8,
         .rid = nic,
         .vector = vtd::reboot,
         .xapic = Fate::blocked,
         .x2apic = Fate::blocked}, // this kernel's own
        {.unit = 0,
         .index = 9,
         .rid = nic,
         .vector = 0x31,
         .delivery = Delivery::nmi,
         .xapic = Fate::blocked,
         .x2apic = Fate::blocked},
        {.unit = 0,
         .index = 10,
         .rid = nic,
         .vector = 0x31,
         .delivery = Delivery::init,
         .xapic = Fate::blocked,
         .x2apic = Fate::blocked},
        {.unit = 0,
         .index = 11,
         .rid = nic,
         .vector = 0x31,
         .delivery = Delivery::smi,
         .xapic = Fate::blocked,
         .x2apic = Fate::blocked},
        {.unit = 0,
         .index = 12,
         .rid = nic,
         .vector = 0x31,
         .delivery = Delivery::external,
         .xapic = Fate::blocked,
         .x2apic = Fate::blocked},
        {.unit = 0,
         .index = 20,
         .rid = nic,
         .vector = 0x41,
         .descriptor = descriptor,
         .xapic = posted,
         .x2apic = posted},
        {.unit = 0,
         .index = 21,
         .rid = nic,
         .vector = 0x41,
         .descriptor = Hpa{0xfee00000},
         .xapic = Fate::blocked,
         .x2apic = Fate::blocked},
        {.unit = 0,
         .index = 22,
         .rid = nic,
         .vector = 0x12, // the descriptor's as well: the processor is told by an exception
         .descriptor = descriptor + posted_descriptor::size,
         .xapic = Fate::blocked,
         .x2apic = Fate::blocked},
        {.unit = 0,
         .index = 13,
         .rid = nic,
         .vector = vtd::int80, // a system call's
         .xapic = Fate::blocked,
         .x2apic = Fate::blocked},
        {.unit = 0, .index = 255, .rid = disk, .vector = 0x61, .destination = 2},
    };
    // What processors are notified by: KVM's three, the host's own, an ordinary one.
    u16 index = 200;
    for (const unsigned notification : {0xf0U, 0xf1U, 0xf2U, 0xebU, 0x7fU, 0x81U})
        description.interrupts.push_back(notify(index++, notification, posted));
    for (const unsigned notification : {vtd::int80, vtd::reboot, 0xecU, 0xffU, 31U})
        description.interrupts.push_back(notify(index++, notification, Fate::blocked));
    if (was_x2apic()) {
        // A logical id names one processor, or several that have no name in xAPIC mode.
        description.interrupts.push_back({.unit = 0,
                                          .index = 30,
                                          .rid = nic,
                                          .vector = 0x51,
                                          .destination = 0x10004,
                                          .logical = true,
                                          .xapic = Fate::goes_on});
        description.interrupts.push_back({.unit = 0,
                                          .index = 31,
                                          .rid = nic,
                                          .vector = 0x51,
                                          .destination = 0x10006,
                                          .logical = true,
                                          .xapic = Fate::blocked});
        description.interrupts.push_back({.unit = 0,
                                          .index = 32,
                                          .rid = nic,
                                          .vector = 0x51,
                                          .destination = 0x1234,
                                          .xapic = Fate::blocked});
    } else {
        description.interrupts.push_back({.unit = 0,
                                          .index = 30,
                                          .rid = nic,
                                          .vector = 0x51,
                                          .destination = 4,
                                          .logical = true,
                                          .x2apic = Fate::blocked});
    }
    World world(description);
    CrashKernel kernel(world);
    EXPECT_EQ(take_over(world, kernel), 0);
    for (const auto& sent : description.interrupts)
        EXPECT_TRUE(world.units[0]->reserved.contains(sent.index)) << sent.index;

    // New interrupts are nobody's of old, and nothing changes for these.
    for (unsigned n = 0; n < 20; n++) {
        const unsigned at = kernel.interrupt(0, nic, 0x71);
        EXPECT_TRUE(std::ranges::none_of(description.interrupts, [=](const auto& sent) {
            return sent.index == at;
        })) << at;
    }
    kernel.map(0);
    World::totals.schedules++;
}

// A table as large as they get, with entries on its first and its last page.
TEST_P(InterruptWorlds, TheLargestTable) {
    Description description = machine(irte::most);
    description.interrupts = {
        {.unit = 0, .index = 5, .rid = nic, .vector = 0x31, .destination = 1},
        // The last eighth is left to this kernel.
        {.unit = 0,
         .index = irte::most - 1,
         .rid = nic,
         .vector = 0x31,
         .xapic = Fate::blocked,
         .x2apic = Fate::blocked},
    };
    World world(description);
    CrashKernel kernel(world);
    EXPECT_EQ(take_over(world, kernel), 0);
    EXPECT_TRUE(world.units[0]->reserved.contains(5));
    World::totals.schedules++;
}

// Each read and the allocation fails once: an interrupt may be lost by it, in silence.
TEST_P(InterruptWorlds, Failures) {
    Description description = machine(512);
    description.interrupts = {
        {.unit = 0, .index = 0, .rid = nic, .vector = 0x31, .destination = 1},
        {.unit = 0, .index = 300, .rid = nic, .vector = 0x32, .destination = 1}};
    const auto run = [&](const Description& of, vtd::harness::Failures failures) {
        World world(of, failures);
        CrashKernel kernel(world);
        vtd::learn_vectors(world.units[0]->core);
        kernel.learn();
        kernel.snapshot(0);
        const Chances before = world.chances;
        kernel.remap(0, now_x2apic());
        World::totals.schedules++;
        return std::pair{before, world.chances};
    };
    const auto [before, after] = run(description, {});
    ASSERT_EQ(after.allocations - before.allocations, 1U);
    ASSERT_EQ(after.old_reads - before.old_reads, 2U);
    const auto blocked = [&](bool first, bool second) {
        Description of = description;
        if (first)
            of.interrupts[0].xapic = of.interrupts[0].x2apic = Fate::blocked;
        if (second)
            of.interrupts[1].xapic = of.interrupts[1].x2apic = Fate::blocked;
        return of;
    };
    run(blocked(true, true), {.allocation = before.allocations + 1});
    run(blocked(true, true), {.old_read = before.old_reads + 1}); // the first page decides
    run(blocked(false, true), {.old_read = before.old_reads + 2});
}

INSTANTIATE_TEST_SUITE_P(All, InterruptWorlds, testing::Range(0U, 16U));

// The old queue: what is left in it, how fast the unit is, and what it hangs at.
class Queues : public testing::TestWithParam<unsigned> {};

TEST_P(Queues, StillRunning) {
    Description description = small_machine(Variant::of(GetParam()));
    description.units[0].capabilities.ecap |= u64{1} << 1; // QI
    const Hpa status = vtd::world::first_target + 0x200000;
    for (const unsigned left : {0U, 1U, 20U}) {
        for (const unsigned pace : {0U, 1U, 1000U}) {
            description.units[0].queue.emplace();
            for (unsigned n = 0; n < left; n++)
                description.units[0].queue->push_back({status + n * 4096});
            World world(description);
            CrashKernel kernel(world);
            auto& queue = world.units[0]->hardware.invalidation();
            queue.pace = pace;
            kernel.learn();
            kernel.snapshot(0);
            kernel.stop_queue(0);
            EXPECT_FALSE(queue.on());
            // A queue that moves is let go to its end; what it wrote is the unit's doing.
            if (pace && left) {
                EXPECT_EQ(world.memory.load(status + (left - 1) * 4096) & 0xffffffff, 1U);
            }
            kernel.adopt(0);
            kernel.install(0);
            for (std::size_t device = 0; device < description.devices.size(); device++)
                kernel.map(device);
            World::totals.schedules++;
        }
    }
}

// A unit that does not let go of the queue: that is said, and nothing else is any worse.
TEST_P(Queues, NeverStops) {
    Description description = small_machine(Variant::of(GetParam()));
    description.units[0].capabilities.ecap |= u64{1} << 1;
    description.units[0].queue.emplace();
    World world(description, {.command = 1});
    CrashKernel kernel(world);
    kernel.learn();
    kernel.snapshot(0);
    EXPECT_EQ(takeover_stop_queue(&world.units[0]->core), -ETIMEDOUT);
    world.settle();
    world.check();
    EXPECT_TRUE(std::ranges::any_of(world.log, [](const std::string& line) {
        return line.find("does not let go") != std::string::npos;
    }));
    EXPECT_TRUE(world.units[0]->core.queue_lost); // and is not given another
    World::totals.schedules++;
}

// What a unit cannot be made to forget no device is released from: its driver is told, and maps
// nothing that hardware would not go by. At which command the queue is lost makes no difference.
TEST_P(Queues, AreLostBeforeARelease) {
    Description description = small_machine(Variant::of(GetParam()));
    description.units[0].capabilities.ecap |= u64{0x50} << 8; // IRO
    for (const bool early : {true, false}) {
        World world(description);
        CrashKernel kernel(world);
        World::Unit& unit = *world.units[0];
        unit.core.queue_lost = early;
        kernel.boot();
        unit.core.queue_lost = true;
        const bool can = !unit.core.scalable || unit.hardware.capabilities().flushes_on_srtp();
        for (unsigned times = 0; times < 2; times++) {
            const int ret = kernel.release(0);
            EXPECT_EQ(ret, can ? times ? 0 : 1 : -EIO);
        }
        world.check();
        World::totals.schedules++;
    }
}

// 6.5.1: registers empty the caches in legacy mode only; in the other one a unit may do that for a
// root table.
TEST_P(Queues, AreDoneWithout) {
    Description description = small_machine(Variant::of(GetParam()));
    description.units[0].capabilities.ecap |= u64{0x50} << 8; // IRO
    for (const unsigned type :
         {VTD_QI_CONTEXT, VTD_QI_IOTLB, VTD_QI_PASID_IOTLB, VTD_QI_PASID_CACHE}) {
        World world(description);
        CrashKernel kernel(world);
        kernel.boot();
        World::Unit& unit = *world.units[0];
        auto& caches = unit.hardware.caches();
        ASSERT_FALSE(caches.contexts.empty() || caches.pages.empty());
        // Of nobody who asks again.
        vtd::model::ContextLine context = *caches.contexts.begin();
        vtd::model::PageLine page = *caches.pages.begin();
        context.rid = Rid::of(9, 9, 1);
        page.base = {u64{9} << 30};
        caches.contexts.insert(context);
        caches.pages.insert(page);
        unit.core.queue_lost = true;
        const bool can = !unit.core.scalable || unit.hardware.capabilities().flushes_on_srtp();
        EXPECT_EQ(takeover_do_without_queue(&unit.core, type), can ? 0 : -EOPNOTSUPP);
        EXPECT_EQ(unit.core.stale, !can);
        world.settle();
        world.check();
        EXPECT_EQ(caches.contexts.contains(context), !can);
        EXPECT_EQ(caches.pages.contains(page), !can);
        World::totals.schedules++;
    }
}

INSTANTIATE_TEST_SUITE_P(All, Queues, testing::Range(0U, Variant::all));

} // namespace
