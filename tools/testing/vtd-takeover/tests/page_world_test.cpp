// SPDX-License-Identifier: GPL-2.0-only
//
// Devices that wait for pages when their kernel dies, and that ask for more while the queue is
// changed: at each moment of it. Every one of them has to get one answer, from whomever.

#include <algorithm>

#include <gtest/gtest.h>

#include "harness/crash_kernel.h"
#include "tests/worlds.h"

namespace {

using namespace vtd::harness;

constexpr Rid nic = Rid::of(0, 1, 0), disk = Rid::of(0, 31, 2);

class PageWorlds : public testing::TestWithParam<unsigned> {
protected:
    // The unit drains page requests on demand; pages of the old queue and of the new one.
    static bool drains() { return GetParam() & 1; }
    static unsigned order() { return GetParam() >> 1 & 1; }
    static unsigned new_order() { return GetParam() >> 2 & 1; }
    static u64 size() { return page_size << order(); }
    static u64 new_size() { return page_size << new_order(); }

    static Description machine(u64 begin = 0) {
        Description description = small_machine({.scalable = true,
                                                 .coherent = true,
                                                 .write_buffer = false,
                                                 .caching_mode = false,
                                                 .esrtps = true});
        description.devices.resize(2);
        vtd::world::Unit& has = description.units[0];
        has.capabilities.ecap |= u64{1} << 29 | u64{drains()} << 42; // PRS, PDS
        has.pages = vtd::world::PageQueue{.order = order(), .begin = begin};
        return description;
    }
    static PageRequest request(u16 group, bool last = true, Rid rid = nic) {
        return {.rid = rid, .pasid = Pasid{7}, .address = {0x7000}, .last = last, .group = group};
    }
    // Of everything that a device may ask for.
    static constexpr unsigned kinds = 9, waiting_kinds = 6;
    static std::vector<PageRequest> of_each_kind() {
        PageRequest plain = request(5, true, disk);
        plain.pasid.reset();
        PageRequest writes = request(6);
        writes.read = false;
        writes.write = true;
        PageRequest wide = request(0x1ff, true, disk);
        wide.pasid = Pasid{0xfffff};
        wide.execute = wide.privileged = true;
        PageRequest stop = request(7);
        stop.read = false;
        PageRequest same = request(1);
        same.pasid = Pasid{8};
        PageRequest neither = plain; // no stop marker without PASID
        neither.group = 9;
        neither.read = false;
        return {request(1, false),
                request(1, false),
                request(1),
                plain,
                writes,
                wide,
                stop,
                same,
                neither};
    }
    static constexpr u64 bytes(u64 entries) { return entries * page_request::size; }

    static World::Unit& unit(World& world) { return *world.units[0]; }
    static void ask(World& world, const PageRequest& request, bool lingers = false) {
        unit(world).pages.ask(unit(world).hardware, request, lingers);
    }
    static void boot(CrashKernel& kernel, takeover_mode mode = TAKEOVER_ADOPT) {
        kernel.boot(mode);
        kernel.switch_pages(0, new_order());
        kernel.serve_pages(0);
    }
    static void judge(World& world) { unit(world).pages.judge(unit(world).hardware, world.memory); }
    // The queue works from now on.
    static void expect_served(World& world, CrashKernel& kernel) {
        for (const u16 group : std::initializer_list<u16>{0x101, 0x102, 0x103}) {
            ask(world, request(group));
            kernel.serve_pages(0);
        }
        judge(world);
        EXPECT_GE(PageTraffic::answers(unit(world).hardware), 3U);
    }
    static bool logged(const World& world, std::string_view part) {
        return std::ranges::any_of(world.log,
                                   [&](const auto& line) { return line.find(part) != line.npos; });
    }
};

TEST_P(PageWorlds, WhoeverWaitsIsAnswered) {
    // From the beginning, around the end, around that of the new queue, and ending there.
    for (const u64 begin :
         {u64{0}, size() - bytes(3), page_size - bytes(3), size() - bytes(kinds)}) {
        World world(machine(begin));
        CrashKernel kernel(world);
        for (const PageRequest& one : of_each_kind())
            ask(world, one);
        boot(kernel);
        judge(world);
        EXPECT_EQ(PageTraffic::answers(unit(world).hardware), waiting_kinds);
        EXPECT_TRUE(logged(world, "6 page requests answered"));
        expect_served(world, kernel);
    }
}

TEST_P(PageWorlds, NobodyWaits) {
    World world(machine());
    CrashKernel kernel(world);
    boot(kernel);
    EXPECT_FALSE(logged(world, "page request"));
    judge(world);
    EXPECT_TRUE(unit(world).hardware.pages().responses.empty());
    expect_served(world, kernel);
}

TEST_P(PageWorlds, AllOfThemBlocked) {
    World world(machine());
    CrashKernel kernel(world);
    for (const PageRequest& one : of_each_kind())
        ask(world, one);
    boot(kernel, TAKEOVER_BLOCK);
    judge(world);
}

TEST_P(PageWorlds, TheUnitDoesNotTakeTheRootTable) {
    World world(machine(), {.command = 1});
    CrashKernel kernel(world);
    for (const PageRequest& one : of_each_kind())
        ask(world, one);
    boot(kernel);
    EXPECT_EQ(unit(world).core.state, TAKEOVER_DEAD);
    EXPECT_TRUE(unit(world).hardware.pages().responses.empty());
    EXPECT_TRUE(logged(world, "not emptied (-110)"));
    unit(world).hardware.pages().forget(nic);
    unit(world).hardware.pages().forget(disk);
    expect_served(world, kernel);
}

// One comes, at whatever moment; and three, the last of which completes a group.
TEST_P(PageWorlds, SomeComeMeanwhile) {
    for (const u64 begin : {bytes(3), page_size - bytes(kinds + 1), size() - bytes(kinds)}) {
        // A queue that is larger than ours, beyond its end: see below.
        if (begin + bytes(kinds + 3) >= new_size() && size() > new_size())
            continue;
        for (const unsigned number : {1U, 3U})
            for (const bool lingers : {false, true}) {
                if (lingers && !drains())
                    continue; // nobody can know of it
                for (unsigned at = 1, all = at; at <= all; at++) {
                    World world(machine(begin));
                    CrashKernel kernel(world);
                    for (const PageRequest& one : of_each_kind())
                        ask(world, one);
                    unit(world).pages.before = [&](unsigned access) {
                        for (u16 n = 1; access == at && n <= number; n++)
                            ask(world, request(0x40, n == number), lingers);
                    };
                    boot(kernel);
                    all = unit(world).pages.accesses();
                    unit(world).pages.before = [](unsigned) {};
                    unit(world).hardware.pages().arrive();
                    kernel.serve_pages(0);
                    ASSERT_GT(all, 20U);
                    SCOPED_TRACE(at);
                    judge(world);
                    expect_served(world, kernel);
                    World::totals.schedules++;
                }
            }
    }
}

// One is let in at one moment, and in the queue at a later one.
TEST_P(PageWorlds, OneTakesItsTime) {
    unsigned all = drains() ? 2 : 0;
    for (unsigned first = 1; first < all; first++)
        for (unsigned second = first + 1; second <= all; second++) {
            World world(machine(bytes(3)));
            CrashKernel kernel(world);
            unit(world).pages.before = [&](unsigned access) {
                if (access == first)
                    ask(world, request(0x40), true);
                if (access == second)
                    unit(world).hardware.pages().arrive();
            };
            boot(kernel);
            all = unit(world).pages.accesses();
            judge(world);
            World::totals.schedules++;
        }
}

// One that comes at each of two moments.
TEST_P(PageWorlds, TwoComeMeanwhile) {
    unsigned all = 2;
    for (unsigned first = 1; first < all; first++)
        for (unsigned second = first + 1; second <= all; second++) {
            World world(machine(bytes(3)));
            CrashKernel kernel(world);
            unit(world).pages.before = [&](unsigned access) {
                if (access == first || access == second)
                    ask(world, request(access == first ? 0x40 : 0x41));
            };
            boot(kernel);
            all = unit(world).pages.accesses();
            judge(world);
            World::totals.schedules++;
        }
}

// The tail has to be moved: there is one moment, between two writes, in which one gets lost.
TEST_P(PageWorlds, TheTailIsBeyondTheNewQueue) {
    if (size() <= new_size())
        return;
    unsigned lost = 0;
    for (unsigned at = 1, all = at; at <= all; at++) {
        World world(machine(page_size));
        CrashKernel kernel(world);
        ask(world, request(1));
        unit(world).pages.before = [&](unsigned access) {
            if (access == at)
                ask(world, request(0x40));
        };
        boot(kernel);
        all = unit(world).pages.accesses();
        lost += static_cast<unsigned>(unit(world).pages.in_vain(unit(world).hardware).size());
        // Nor is it put anywhere else.
        unit(world).hardware.pages().forget(nic);
        expect_served(world, kernel);
    }
    EXPECT_EQ(lost, 1U);
}

// The unit answers what it has no room for, if there is anything to answer, and takes nothing
// until it is told that its overflow has been noticed.
TEST_P(PageWorlds, TheQueueRanOver) {
    const auto room = static_cast<u16>(size() / page_request::size - 1);
    for (const u16 number : {static_cast<u16>(room - 1), room, static_cast<u16>(room + 1),
                             static_cast<u16>(room + 9)}) {
        World world(machine(bytes(3)));
        CrashKernel kernel(world);
        for (u16 n = 0; n < number; n++)
            ask(world, request(n));
        boot(kernel);
        judge(world);
        EXPECT_EQ(PageTraffic::answers(unit(world).hardware), std::min(number, room));
        EXPECT_EQ(unit(world).hardware.pages().status() & page_request_status::pro, 0U);
        expect_served(world, kernel);
    }
}

// It has as many answers as the queue has room for, twice, and the kernel goes on.
TEST_P(PageWorlds, ADeviceThatAsksOnAndOn) {
    World world(machine());
    CrashKernel kernel(world);
    u16 group = 0;
    unit(world).pages.before = [&](unsigned) { ask(world, request(group++ & 0x1ff)); };
    kernel.boot();
    const auto reads = world.chances.old_reads;
    kernel.switch_pages(0, new_order());
    EXPECT_LE(world.chances.old_reads - reads, 2 * size() / page_request::size);
    EXPECT_LE(unit(world).pages.accesses(), 10 * size() / page_request::size);
    unit(world).pages.before = [](unsigned) {};
    kernel.serve_pages(0);
    ask(world, request(0x1fe, true, disk));
    kernel.serve_pages(0);
    EXPECT_TRUE(unit(world).hardware.pages().outstanding(disk).empty());
}

TEST_P(PageWorlds, RegistersThatAreDamaged) {
    const u64 end = vtd::world::old_memory.value + vtd::world::old_memory_size;
    for (const u64 pqa :
         {u64{0}, u64{7}, vtd::world::registers.value, vtd::world::firmware_memory.value,
          vtd::world::crash_memory.value | 3, end - page_size + 1, end, ~u64{0}}) {
        World world(machine());
        CrashKernel kernel(world);
        kernel.boot();
        const auto reads = world.chances.old_reads;
        unit(world).hardware.write64(reg::pqa, pqa);
        unit(world).hardware.write64(reg::pqt, page_size + bytes(9)); // less a page, if it has one
        kernel.switch_pages(0, new_order());
        EXPECT_EQ(world.chances.old_reads, reads);
        EXPECT_EQ(logged(world, "not emptied (-14)"), pqa >= page_size) << std::hex << pqa;
        EXPECT_TRUE(unit(world).hardware.pages().responses.empty());
        kernel.serve_pages(0);
        expect_served(world, kernel);
    }
    if (order())
        for (const auto& [head, tail] : {std::pair{u64{0}, page_size + bytes(4)},
                                         {page_size + bytes(4), u64{0}},
                                         {page_size, page_size}}) {
            World world(machine());
            CrashKernel kernel(world);
            kernel.boot();
            vtd::model::Unit& hardware = unit(world).hardware;
            hardware.write64(reg::pqh, head);
            hardware.write64(reg::pqt, tail);
            hardware.write64(reg::pqa, hardware.read64(reg::pqa) & ~u64{7}); // smaller
            kernel.switch_pages(0, new_order());
            EXPECT_TRUE(logged(world, "not emptied (-34)"));
            kernel.serve_pages(0);
            expect_served(world, kernel);
        }
}

// What is damaged is not answered, or its answer goes to somebody who does not wait; the others
// are.
TEST_P(PageWorlds, EntriesThatAreDamaged) {
    for (unsigned number = 0; number < 64; number++) {
        World world(machine());
        CrashKernel kernel(world);
        ask(world, request(1));
        ask(world, request(2));
        const Hpa entry{unit(world).hardware.read64(reg::pqa) & queue_address::address.mask()};
        const unsigned word = number % 2 * 8;
        world.memory.store(entry + word, world.memory.load(entry + word) ^ u64{1} << number);
        boot(kernel);
        const auto left = unit(world).hardware.pages().outstanding();
        EXPECT_TRUE(std::ranges::none_of(left, [](const auto& one) { return one.group == 2; }));
        EXPECT_LE(unit(world).hardware.pages().responses.size(), 2U);
    }
}

TEST_P(PageWorlds, ReadsOfOldMemory) {
    unsigned all = 0;
    for (unsigned n = 0; n <= all; n++) {
        World world(machine(page_size - bytes(4)), {.old_read = n});
        CrashKernel kernel(world);
        for (const PageRequest& one : of_each_kind())
            ask(world, one);
        boot(kernel);
        if (n == 0)
            all = world.chances.old_reads;
        EXPECT_TRUE(unit(world).hardware.pages().unexpected.empty());
        unit(world).hardware.pages().forget(nic);
        unit(world).hardware.pages().forget(disk);
        expect_served(world, kernel);
    }
    ASSERT_GT(all, 8U);
}

// The kdump kernel's own queue is the old one then, and has its head anywhere.
TEST_P(PageWorlds, ASecondCrash) {
    World world(machine(bytes(5)));
    CrashKernel kernel(world);
    for (const PageRequest& one : of_each_kind())
        ask(world, one);
    boot(kernel);
    for (const PageRequest& one : of_each_kind())
        ask(world, one);
    world.crash_again(true);
    CrashKernel next(world);
    boot(next);
    EXPECT_TRUE(unit(world).hardware.pages().unexpected.empty());
    judge(world);
    expect_served(world, next);
}

INSTANTIATE_TEST_SUITE_P(All, PageWorlds, testing::Range(0U, 8U));

} // namespace
