// SPDX-License-Identifier: GPL-2.0-only
//
// Old tables that lead into the kdump kernel, in small worlds: pages of each size of each stage,
// before, across and behind its borders; pointers into it and to themselves; memory that does not
// suffice. Which words are cut, and how tables are copied, is guard_test.cpp's.

#include <algorithm>
#include <array>

#include <gtest/gtest.h>

#include "harness/crash_kernel.h"
#include "tests/worlds.h"

namespace {

using namespace vtd::harness;
using vtd::world::Damage;
using vtd::world::Domain;
using vtd::world::Page;
using vtd::world::Paging;
using Where = Damage::Where;

constexpr unsigned large = page_bits + level_bits, huge = large + level_bits;

// Where a page of some size may lie: on either side of a border, over one, far from all.
std::vector<Page> pages_of(unsigned bits) {
    const u64 size = u64{1} << bits;
    const u64 crash = vtd::world::crash_memory.value;
    std::vector<Page> pages;
    std::set<u64> seen;
    u64 iova = u64{4} << huge; // nothing else is there
    for (const u64 border :
         {crash, crash + vtd::world::crash_memory_distance, vtd::world::interrupt_memory.value,
          vtd::world::core_header.value, vtd::world::core_header.value + page_size})
        for (const u64 to : {(border - 1) & -size, border & -size})
            if (seen.insert(to).second) {
                pages.push_back({{iova}, {to}, bits});
                iova += 3 * size; // on each place of a cache line
            }
    return pages;
}

struct Kind {
    Paging paging;
    unsigned levels;
};
constexpr std::array kinds{Kind{Paging::second, 3}, Kind{Paging::second, 4}, Kind{Paging::first, 4},
                           Kind{Paging::first, 5}, Kind{Paging::nested, 4}};

// Above a page: of the second stage, or of both, where it has pages of 2 MiB.
unsigned pointers(const Kind& kind) {
    return kind.paging == Paging::nested ? 2 * kind.levels - 3 : kind.levels - 1;
}

class GuardWorlds : public testing::TestWithParam<unsigned> {
protected:
    static Variant variant() { return Variant::of(GetParam() & 31); }
    // CAP.ZLR, without which nobody gets a scratch page.
    static bool scratch() { return (GetParam() & 32) != 0; }

    // Two devices in a domain with all that, one of them with a device-TLB, and the others.
    static Description description(const Kind& kind) {
        Description description = small_machine(variant());
        description.units[0].capabilities.cap |= u64{1} << 60 | u64{scratch()} << 22; // FL5LP, ZLR
        Domain& domain = description.domains[0];
        domain.paging = kind.paging;
        domain.levels = kind.levels;
        return description;
    }
    static bool is_known(const Kind& kind) {
        return variant().scalable || (kind.paging == Paging::second && kind.levels == 4);
    }
    // What lets through only what means itself.
    static void identify(Domain& domain) {
        for (Page& page : domain.pages)
            page.iova = {page.to.value};
    }
    static void run(const Description& description, std::optional<unsigned> budget = {}) {
        World world(description);
        CrashKernel kernel(world);
        if (budget) {
            world.budget(*budget);
            world.units[0]->core.strict = true;
            world.units[0]->exhausted = true; // who has no copy is blocked
        }
        kernel.boot();
        if (!budget) {
            EXPECT_EQ(world.units[0]->core.nr_dropped, 0U);
            EXPECT_GT(world.units[0]->core.nr_cut, 0U);
        }
        EXPECT_LE(world.units[0]->core.nr_guard_pages, budget.value_or(~0U));
        for (std::size_t device = 0; device < world.devices.size(); device++)
            kernel.map(device, {0x8000});
        World::totals.schedules++;
    }
};

TEST_P(GuardWorlds, PagesOfEachSize) {
    for (const Kind& kind : kinds)
        for (const unsigned bits : {page_bits, large, huge}) {
            // A guest has no more of a large page than what is old memory.
            if (!is_known(kind) || (kind.paging == Paging::nested && bits == huge))
                continue;
            SCOPED_TRACE(testing::Message() << static_cast<int>(kind.paging) << ", " << kind.levels
                                            << " levels, " << bits << " bits");
            Description description = GuardWorlds::description(kind);
            Domain& domain = description.domains[0];
            // Beside pages that nobody minds.
            for (const Page& page : pages_of(bits))
                domain.pages.push_back(page);
            if (kind.paging == Paging::nested) {
                domain.pages.erase(domain.pages.begin(), domain.pages.begin() + 2);
                identify(domain);
            }
            run(description);
        }
}

// Read-only, write-only and both: what replaces a page gives no more than it gave.
TEST_P(GuardWorlds, RightsOfPages) {
    for (const bool read : {false, true})
        for (const bool write : {false, true}) {
            if (!read && !write)
                continue;
            Description description = GuardWorlds::description(kinds[1]);
            for (const unsigned bits : {page_bits, large})
                for (Page page : pages_of(bits)) {
                    page.iova.value += u64{bits} << 32;
                    page.read = read;
                    page.write = write;
                    description.domains[0].pages.push_back(page);
                }
            run(description);
        }
}

// An entry that lets everything through, for one device and for two, with an id of its own and the
// driver's.
class GuardUnits : public GuardWorlds {};

TEST_P(GuardUnits, PassThrough) {
    for (const u16 did : {u16{4}, of_driver.value})
        for (const bool two : {false, true})
            for (const unsigned ats : {0U, 1U}) {
                Description description = small_machine(variant());
                description.units[0].capabilities.cap |= u64{scratch()} << 22;
                Domain& domain = description.domains[2];
                domain.did = {did};
                for (const Page& page : pages_of(huge))
                    domain.pages.push_back({{page.to.value}, page.to, huge});
                if (two)
                    description.devices[1].domain = 2;
                description.devices[1].ats = ats;
                World world(description);
                CrashKernel kernel(world);
                kernel.boot();
                EXPECT_EQ(world.units[0]->core.nr_dropped, 0U);
                for (const std::size_t device : {3U, 1U, 0U, 2U})
                    kernel.map(device, {0x8000});
                World::totals.schedules++;
            }
}

// A pointer of the page tables that leads into the kdump kernel, to nowhere, or to its own table.
TEST_P(GuardWorlds, Pointers) {
    for (const Kind& kind : kinds)
        for (const u64 to :
             {vtd::world::crash_memory.value, vtd::world::core_header.value,
              vtd::world::registers.value, u64{1} << 38, vtd::world::old_memory.value}) {
            if (!is_known(kind))
                continue;
            for (unsigned word = 0; word < pointers(kind); word++) {
                SCOPED_TRACE(testing::Message()
                             << static_cast<int>(kind.paging) << ", " << kind.levels
                             << " levels, word " << word << " to " << std::hex << to);
                Description description = GuardWorlds::description(kind);
                if (kind.paging == Paging::nested)
                    identify(description.domains[0]);
                description.damage = {
                    {Where::pointer, 0, word, ~(((u64{1} << 40) - 1) & ~(page_size - 1)), to}};
                World world(description);
                CrashKernel kernel(world);
                kernel.boot();
                for (std::size_t device = 0; device < world.devices.size(); device++)
                    kernel.map(device, {0x8000});
                World::totals.schedules++;
            }
        }
}

// Of every size that is too small, by a page each.
TEST_P(GuardWorlds, TooLittleMemory) {
    for (unsigned budget = 0; budget < 40; budget++) {
        SCOPED_TRACE(budget);
        Description description = GuardWorlds::description(kinds[1]);
        for (const Page& page : pages_of(large))
            description.domains[0].pages.push_back(page);
        run(description, budget);
    }
}

// Domains behind PASIDs, in one table and in two: one that leads into the kdump kernel and one that
// lets everything through, beside one that nobody minds.
class GuardStreams : public GuardWorlds {
protected:
    static Description description() {
        Description description = GuardWorlds::description(kinds[1]);
        for (const Page& page : pages_of(large))
            description.domains[1].pages.push_back(page);
        for (const Page& page : pages_of(huge))
            description.domains[2].pages.push_back({{page.to.value}, page.to, huge});
        for (auto& device : description.devices)
            device.domain = 0;
        return description;
    }
};

TEST_P(GuardStreams, InEachTable) {
    for (const u32 pasid : {5U, 70U})
        for (const std::size_t domain : {1U, 2U}) {
            SCOPED_TRACE(testing::Message() << "PASID " << pasid << ", domain " << domain);
            Description description = GuardStreams::description();
            description.devices[0].streams = {{{pasid}, domain}};
            description.devices[1].streams = {{{6}, 0}, {{pasid}, domain}};
            World world(description);
            CrashKernel kernel(world);
            kernel.boot();
            EXPECT_EQ(world.units[0]->core.nr_dropped, 0U);
            for (std::size_t device = 0; device < world.devices.size(); device++)
                kernel.map(device, {0x8000});
            World::totals.schedules++;
        }
}

// A copy of a directory has one page: a device is blocked that has PASIDs in others, too.
TEST_P(GuardStreams, BeyondThePageOfACopy) {
    constexpr u32 beyond = 40000;
    for (const std::size_t domain : {0U, 1U}) {
        Description description = GuardStreams::description();
        description.devices[0].streams = {{{5}, 1 - domain}, {{beyond}, domain}};
        World world(description);
        CrashKernel kernel(world);
        world.units[0]->exhausted = true;
        kernel.boot();
        EXPECT_EQ(world.units[0]->core.nr_dropped, 1U);
        for (std::size_t device = 0; device < world.devices.size(); device++)
            kernel.map(device, {0x8000});
        World::totals.schedules++;
    }
}

// What cannot be guarded is blocked, and the device's other PASIDs are not.
TEST_P(GuardStreams, BesideOneThatLeadsNowhere) {
    Description description = GuardStreams::description();
    description.devices[0].streams = {{{5}, 1}};
    description.damage = {{Where::pasid, 0, 0, ~(((u64{1} << 40) - 1) & ~(page_size - 1)),
                           vtd::world::registers.value}};
    run(description);
}

TEST_P(GuardStreams, TooLittleMemory) {
    for (unsigned budget = 8; budget < 32; budget++) {
        SCOPED_TRACE(budget);
        Description description = GuardStreams::description();
        description.devices[0].streams = {{{5}, 2}, {{70}, 1}};
        description.devices[1].streams = {{{5}, 2}};
        run(description, budget);
    }
}

// Both modes with and without a scratch page, and units that need all that software can do.
INSTANTIATE_TEST_SUITE_P(Some, GuardWorlds, testing::Values(0U, 1U, 0x20U, 0x21U, 0x0cU, 0x2dU));
INSTANTIATE_TEST_SUITE_P(Some, GuardStreams, testing::Values(0x01U, 0x2dU));
INSTANTIATE_TEST_SUITE_P(All, GuardUnits, testing::Range(0U, 2 * Variant::all));

} // namespace
