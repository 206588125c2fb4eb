// SPDX-License-Identifier: GPL-2.0-only
//
// FLOOR: what a healthy kernel wrote on real hardware is adopted whole. Nothing is dropped, nothing
// is blocked, only what leads into the kdump kernel's memory is cut, and the takeover's memory does
// not grow with the machine. On each unit that somebody has seen, and on QEMU's.
//
// Caches and the order of what software does are not looked at here: that is world_test's, on each
// shape of unit.

#include <algorithm>
#include <map>
#include <optional>
#include <string>

#include <gtest/gtest.h>

#include "harness/healthy.h"

using namespace vtd;
using model::Access;

namespace {

constexpr u64 mib = u64{1} << 20, gib = u64{1} << 30, tib = u64{1} << 40;
constexpr u64 page = 0x1000;
constexpr Phys header{0x21000000}; // in the kdump kernel's memory, as kexec puts it

const std::vector<RealUnit>& units() {
    static const auto all = real_units(HARDWARE);
    return all;
}

// What kdump kernels are given: low memory alone, or memory above 4 GiB with some low one.
struct Kdump {
    const char* name;
    std::vector<Range> ranges;
    u64 pages() const {
        u64 all = 1; // page 0
        for (const auto& [start, end] : ranges)
            all += (start >= 2 * gib ? end : end - start) / page;
        return all;
    }
};
constexpr u64 low = 512 * mib;
const std::vector<Kdump> kdumps{
    {"128M", {{low, low + 128 * mib}}},
    {"192M", {{low, low + 192 * mib}}},
    {"256M", {{low, low + 256 * mib}}},
    {"512M", {{low, low + 512 * mib}}},
    {"128M,high and 72M,low", {{low + 3 * page, low + 72 * mib}, {4 * gib, 128 * mib}}},
    {"192M,high and 72M,low", {{low + 3 * page, low + 72 * mib}, {4 * gib, 192 * mib}}},
    {"256M,high and 72M,low", {{low + 3 * page, low + 72 * mib}, {4 * gib, 256 * mib}}},
    {"512M,high and 72M,low", {{low + 3 * page, low + 72 * mib}, {4 * gib, 512 * mib}}},
};
const Kdump& most = kdumps.at(3); // of low memory

bool is_guest(Mapping mapping) {
    return mapping == Mapping::guest_2m || mapping == Mapping::guest_1g;
}

// The part of the kdump kernel's memory that glue.c gives to the guards.
constexpr unsigned guard_part = 32;
// Of the takeover's own state for a unit: four bitmaps and the structure; two more for all.
constexpr u64 bytes_of_unit = 4 * 8192 + sizeof(takeover_unit), bytes_of_all = 2 * 8192;
constexpr u64 bearable = 4 * mib;

class Floor : public testing::TestWithParam<std::size_t> {
protected:
    const RealUnit& unit() const { return units().at(GetParam()); }
    ~Floor() override { takeover_forbid_nothing(); }

    // Sizes of RAM that the unit's machines may have.
    std::vector<u64> memories() const {
        std::vector<u64> all;
        for (const u64 ram : {4 * gib, 32 * gib, 64 * gib, 768 * gib, 16 * tib})
            if (ram + 4 * gib <= u64{1} << std::min(unit().address_bits, width()))
                all.push_back(ram);
        if (all.size() > 2)
            all.erase(all.begin() + 1); // 32 GiB are the most for 36 bits
        return all;
    }
    unsigned width() const {
        const model::Capabilities& can = unit().capabilities;
        const unsigned widest = can.walks(3) ? 57 : can.walks(2) ? 48 : 39;
        return std::min(widest, can.max_guest_width());
    }
    bool has_1g(Tables tables) const {
        const bool first = tables == Tables::first_stage && !unit().capabilities.second_stage();
        return first ? unit().capabilities.first_1g() : unit().capabilities.large_second(3);
    }

    static void learn(Machine& machine, const Layout& layout, const Kdump& kdump) {
        std::vector<std::pair<Phys, u64>> ram;
        for (const auto& [start, end] : layout.ram)
            ram.emplace_back(Phys{start}, end - start);
        machine.write_elfcorehdr(header, ram);
        takeover_forbid_nothing();
        for (const auto& [start, end] : layout.kdump)
            takeover_forbid(start, end);
        takeover_forbid(0, page);
        ASSERT_EQ(takeover_oldmem_learn(header.value), 0);
        machine.pool.left = static_cast<unsigned>(kdump.pages() / guard_part);
        machine.populated = [&](u64 start, u64 size) {
            const auto meets = [=](const Range& range) {
                return start < range.second && range.first < start + size;
            };
            return std::ranges::any_of(layout.windows, meets) ||
                   std::ranges::any_of(layout.kdump, meets);
        };
    }
    void prepare(Machine& machine, Tables tables) const {
        machine.unit.cap = unit().capabilities.cap;
        machine.unit.ecap = unit().capabilities.ecap;
        machine.unit.address_bits = unit().address_bits;
        machine.unit.scalable = tables != Tables::legacy;
        machine.unit.unguarded = false;
    }
    static void adopt(Machine& machine, u64 rtaddr) {
        machine.gsts = 0xc0000000;
        machine.rtaddr = rtaddr;
        takeover_snapshot(&machine.unit);
        takeover_adopt(&machine.unit, machine.new_root(), TAKEOVER_ADOPT);
    }
    static void adopted_whole(const Machine& machine, unsigned devices) {
        const takeover_unit& core = machine.unit;
        EXPECT_EQ(core.nr_adopted, devices);
        EXPECT_EQ(core.nr_dropped, 0U);
        EXPECT_EQ(core.nr_tables_dropped, 0U);
        EXPECT_EQ(core.nr_flawed, 0U);
        EXPECT_FALSE(core.blocked);
        EXPECT_FALSE(core.unguarded);
        EXPECT_EQ(machine.allocations_that_panic, 0U);
        EXPECT_LE(machine.most_tables * page + bytes_of_unit + bytes_of_all, bearable);
    }

    // Every address that is asked for leads where it did, unless that is the kdump kernel's; that
    // one is out of reach, unless the device passes through for want of large pages.
    // Nobody gets further than the widths of the unit, without a table either.
    void compare(Healthy& old, const Layout& layout, Rid rid, Mapping mapping,
                 bool narrowed) const {
        unsigned reached = 0;
        for (const u64 iova : old.samples(mapping))
            for (const Access access : {Access::read, Access::write}) {
                if (iova >> width())
                    continue;
                const auto before = old.before(rid, iova, access);
                auto now = old.now(rid, iova, access);
                const bool ours =
                    before &&
                    (*before < page || std::ranges::any_of(layout.kdump, [&](const Range& range) {
                        return *before >= range.first && *before < range.second;
                    }));
                if (now && *now - takeover_scratch_page() < page) {
                    EXPECT_EQ(access, Access::write);
                    now.reset();
                }
                EXPECT_EQ(now, ours && narrowed ? std::nullopt : before)
                    << std::hex << iova << " of a device with " << name(mapping);
                reached += before.has_value();
            }
        EXPECT_GT(reached, 10U) << name(mapping);
    }

    void run(Tables tables, Mapping mapping, u64 ram, const Kdump& kdump) const {
        SCOPED_TRACE(testing::Message() << "FLOOR: " << unit().machine << ", " << name(tables)
                                        << ", " << name(mapping) << ", " << ram / gib << " GiB, "
                                        << unit().address_bits << " bits, " << kdump.name);
        Machine machine;
        const Layout layout = machine_of(ram, unit().address_bits, kdump.ranges);
        learn(machine, layout, kdump);
        prepare(machine, tables);
        Healthy old(machine, unit(), layout, tables);
        const std::array rids{Rid::of(0, 2, 0), Rid::of(0x80, 31, 1)};
        for (const Rid rid : rids)
            old.add(rid, mapping);
        adopt(machine, old.rtaddr());

        adopted_whole(machine, rids.size());
        const bool passes = mapping == Mapping::pass_through && unit().capabilities.pass_through();
        // What cannot be narrowed at a bearable price is what has no large pages.
        const bool narrowed = !passes || has_1g(tables);
        EXPECT_EQ(machine.unit.nr_unguarded, narrowed ? 0 : rids.size());
        if (mapping != Mapping::pass_through) {
            EXPECT_EQ(machine.unit.nr_repaired, 0U);
            EXPECT_EQ(machine.unit.nr_cut, 0U);
        }
        for (const Rid rid : rids)
            compare(old, layout, rid, mapping, narrowed);
    }
};

TEST_P(Floor, WhatAHealthyKernelWroteIsAdoptedWhole) {
    for (const Tables tables : {Tables::legacy, Tables::second_stage, Tables::first_stage})
        for (const Mapping mapping :
             {Mapping::few, Mapping::pass_through, Mapping::guest_2m, Mapping::guest_1g})
            for (const u64 ram : memories())
                for (const Kdump& kdump : kdumps)
                    if (Healthy::is_possible(unit(), tables, mapping) &&
                        ram >= (is_guest(mapping) ? 64 * gib : 0) &&
                        (kdump.ranges.size() == 1 || ram == memories().back()))
                        run(tables, mapping, ram, kdump);
}

// Its tables take two gigabytes. In the mode that a kernel has on the unit; with so much memory
// that it is not the budget that keeps the takeover modest.
TEST_P(Floor, ATerabyteOfPages) {
    for (const Tables tables : {Tables::legacy, Tables::second_stage, Tables::first_stage})
        if (unit().capabilities.scalable() == (tables != Tables::legacy) &&
            Healthy::is_possible(unit(), tables, Mapping::scattered))
            run(tables, Mapping::scattered, memories().back(), most);
}

// Of a large server each unit has some devices that pass through and some that do not. Units that
// cannot let devices pass are those of clients, which have two.
TEST_P(Floor, FortyUnitsShareOneBudget) {
    const unsigned number = unit().capabilities.pass_through() ? 40 : 2;
    for (const Tables tables : {Tables::legacy, Tables::second_stage}) {
        if (!Healthy::is_possible(unit(), tables, Mapping::pass_through))
            continue;
        SCOPED_TRACE("FLOOR: " + unit().machine);
        Machine machine;
        const Kdump& kdump = kdumps.front();
        const Layout layout = machine_of(memories().back(), unit().address_bits, kdump.ranges);
        learn(machine, layout, kdump);
        prepare(machine, tables);
        Healthy old(machine, unit(), layout, tables);
        for (unsigned slot = 1; slot < 7; slot++)
            old.add(Rid::of(slot, slot, 0), slot % 2 ? Mapping::few : Mapping::pass_through);
        for (unsigned n = 0; n < number; n++) {
            if (n)
                machine.next_unit();
            adopt(machine, old.rtaddr());
            adopted_whole(machine, 6);
            if (has_1g(tables)) {
                EXPECT_EQ(machine.unit.nr_unguarded, 0U) << n;
            }
        }
        EXPECT_LE(machine.most_tables * page + number * (bytes_of_unit + page) + bytes_of_all,
                  bearable);
    }
}

// Of the ids that a unit has none may be left: what passes through gets a table only if one is.
class FloorOfFewIds : public Floor {};

TEST_P(FloorOfFewIds, AllDomainIdsAreInUse) {
    const unsigned ids = unit().capabilities.domain_ids();
    for (const Mapping passing : {Mapping::few, Mapping::pass_through}) {
        SCOPED_TRACE("FLOOR: " + unit().machine);
        Machine machine;
        const Layout layout = machine_of(4 * gib, unit().address_bits, kdumps.front().ranges);
        learn(machine, layout, kdumps.front());
        prepare(machine, Tables::legacy);
        Healthy old(machine, unit(), layout, Tables::legacy);
        const Rid first = Rid::of(0, 2, 0);
        old.add(first, passing);
        const bool passes = passing == Mapping::pass_through && unit().capabilities.pass_through();
        const unsigned others = ids - (passes ? 2 : 3); // two are the driver's
        for (unsigned n = 0; n < others; n++)
            old.add(Rid::of(1, n / 8, n % 8), Mapping::few);
        adopt(machine, old.rtaddr());
        adopted_whole(machine, 1 + others);
        EXPECT_EQ(machine.unit.nr_unguarded, passes ? 1 : 0);
        compare(old, layout, first, passing, !passes);
        compare(old, layout, Rid::of(1, 0, 1), Mapping::few, true);
    }
}

// 8.4: firmware reserves memory at page 0, below 1 MiB, not by whole pages, backwards, and in what
// is RAM. The kernel has mapped it to itself for its devices.
TEST_P(Floor, ReservedMemoryWhereverItLies) {
    const std::array reserved{Range{0, 0xfff},
                              Range{0xe0000, 0xfffff},
                              Range{0x7d800000, 0x7fffffff},
                              Range{0x7b7e1234, 0x7b7f5678},
                              Range{0x7fffffff, 0x7f000000},
                              Range{0x40000000, 0x40000fff}};
    for (const Tables tables : {Tables::legacy, Tables::second_stage, Tables::first_stage}) {
        if (!Healthy::is_possible(unit(), tables, Mapping::pass_through))
            continue;
        SCOPED_TRACE("FLOOR: " + unit().machine);
        Machine machine;
        const Layout layout = machine_of(4 * gib, unit().address_bits, kdumps.front().ranges);
        learn(machine, layout, kdumps.front());
        prepare(machine, tables);
        Healthy old(machine, unit(), layout, tables);
        const Rid usb = Rid::of(0, 20, 0), other = Rid::of(0, 2, 0);
        old.add(usb, Mapping::few, {reserved.begin(), reserved.end()});
        old.add(other, Mapping::pass_through);
        for (const auto& [start, end] : reserved)
            for (const Rid rid : {usb, other})
                machine.firmware.push_back({rid, start, end});
        adopt(machine, old.rtaddr());
        adopted_whole(machine, 2);
        if (has_1g(tables)) {
            EXPECT_EQ(machine.unit.nr_unguarded, 0U);
        }
        for (const auto& [start, end] : reserved)
            for (const Access access : {Access::read, Access::write})
                for (u64 at = start & ~(page - 1); at < end; at += page) {
                    ASSERT_EQ(old.before(usb, at, access), at);
                    ASSERT_EQ(old.now(usb, at, access), at);
                    ASSERT_EQ(old.now(other, at, access), old.before(other, at, access))
                        << std::hex << at;
                }
    }
}

// Of the first unit that has these addresses, large pages or not, and lets devices pass through.
const RealUnit& unit_of(unsigned address_bits, bool large) {
    return *std::ranges::find_if(units(), [=](const RealUnit& unit) {
        return unit.address_bits >= address_bits && unit.capabilities.pass_through() &&
               (unit.capabilities.large_second(3) || !large);
    });
}

// The memory that firmware of real machines reserves, for devices of all their units.
class FloorOfFirmware : public Floor {
protected:
    static void run(const DmarTable& table, Mapping mapping, bool large) {
        SCOPED_TRACE("FLOOR: " + table.machine + ", " + name(mapping));
        const RealUnit& unit = unit_of(table.host_width, large);
        Machine machine;
        const Layout layout = machine_of(4 * gib, table.host_width, kdumps.front().ranges);
        learn(machine, layout, kdumps.front());
        for (std::size_t number = 0; number < table.units.size(); number++) {
            if (number)
                machine.next_unit();
            machine.unit.cap = unit.capabilities.cap;
            machine.unit.ecap = unit.capabilities.ecap;
            machine.unit.address_bits = table.host_width;
            machine.unit.unguarded = false;
            Healthy old(machine, unit, layout, Tables::legacy);
            std::map<model::Rid, std::vector<Range>> devices;
            for (const auto& [first, last, rids] : table.reserved)
                for (const model::Rid rid : rids)
                    if (table.unit_of(rid) == number) {
                        devices[rid].emplace_back(first, last);
                        machine.firmware.push_back({{rid.value}, first, last});
                    }
            for (const auto& [rid, ranges] : devices)
                old.add({rid.value}, mapping, ranges);
            adopt(machine, old.rtaddr());
            adopted_whole(machine, static_cast<unsigned>(devices.size()));
            if (large) {
                EXPECT_EQ(machine.unit.nr_unguarded, 0U);
            }
            for (const auto& [rid, ranges] : devices)
                for (const auto& [first, last] : ranges)
                    for (const u64 at : {first, first / 2 + last / 2, last})
                        for (const Access access : {Access::read, Access::write}) {
                            const u64 there = at & ~(page - 1);
                            EXPECT_EQ(old.before({rid.value}, there, access), there);
                            EXPECT_EQ(old.now({rid.value}, there, access), there);
                        }
        }
    }
};

TEST_F(FloorOfFirmware, ReservedMemoryOfRealMachines) {
    const auto tables = dmar_tables(DMAR_TABLES);
    EXPECT_EQ(tables.size(), 298U);
    std::size_t units = 0, ranges = 0;
    for (const DmarTable& table : tables) {
        units += table.units.size();
        ranges += table.reserved.size();
        for (const Mapping mapping : {Mapping::few, Mapping::pass_through})
            for (const bool large : {false, true})
                run(table, mapping, large);
    }
    EXPECT_GT(units, 550U);
    EXPECT_GT(ranges, 400U);
}

// Tables that hold themselves have no end for a walk that cannot remember them. They cost their own
// device its entry, and no other one.
class FloorOfSome : public Floor {};

TEST_P(FloorOfSome, BesideTablesWithoutEnd) {
    SCOPED_TRACE("FLOOR: " + unit().machine);
    Machine machine;
    const Layout layout = machine_of(4 * gib, unit().address_bits, kdumps.front().ranges);
    learn(machine, layout, kdumps.front());
    machine.pool.left = 2 * 11; // for buffers, and a memo of no page
    prepare(machine, Tables::legacy);
    Healthy old(machine, unit(), layout, Tables::legacy);
    const Rid damaged = Rid::of(0, 2, 0), healthy = Rid::of(0, 20, 0);
    for (const Rid rid : {damaged, healthy})
        old.add(rid, Mapping::few);
    const auto old_word = [&](u64 table, unsigned n) {
        return machine.old_page({table & ~(page - 1)})[n];
    };
    const u64 top = old_word(old_word(old.rtaddr(), 0), (damaged.value & 0xff) * 2) & ~(page - 1);
    std::ranges::fill(machine.old_page({top}), top | 3);
    adopt(machine, old.rtaddr());
    EXPECT_EQ(machine.unit.nr_dropped, 1U);
    EXPECT_EQ(machine.unit.nr_unguarded, 0U);
    compare(old, layout, healthy, Mapping::few, true);
}

std::string name_of(const testing::TestParamInfo<std::size_t>& info) {
    return (units().at(info.param).hardware ? "unit" : "qemu") + std::to_string(info.param);
}

std::vector<std::size_t> with_few_ids() {
    std::vector<std::size_t> all;
    for (std::size_t at = 0; at < units().size(); at++)
        if (units()[at].capabilities.domain_ids() <= 256)
            all.push_back(at);
    return all;
}

// One in eight of the units that walk 48 bits: it takes long, and units do not differ there.
std::vector<std::size_t> some() {
    std::vector<std::size_t> all;
    for (std::size_t at = 0; at < units().size(); at += 8)
        if (units()[at].capabilities.walks(2))
            all.push_back(at);
    return all;
}

INSTANTIATE_TEST_SUITE_P(Each, Floor, testing::Range(std::size_t{0}, units().size()), name_of);
INSTANTIATE_TEST_SUITE_P(Each, FloorOfFewIds, testing::ValuesIn(with_few_ids()), name_of);
INSTANTIATE_TEST_SUITE_P(Each, FloorOfSome, testing::ValuesIn(some()), name_of);

// The data is what this suite stands on.
TEST(Hardware, IsAllThere) {
    EXPECT_EQ(std::ranges::count_if(units(), [](const RealUnit& unit) { return unit.hardware; }),
              48);
    EXPECT_EQ(units().size(), 63U);
    EXPECT_GE(shapes(units()).size(), 15U);
}

} // namespace
