// SPDX-License-Identifier: GPL-2.0-only
//
// A unit with tables in which one device has one page, for tests of what is around that.

#pragma once

#include <algorithm>

#include <gtest/gtest.h>

#include "model/device.h"

namespace vtd::test {

using namespace vtd::model;

inline constexpr Hpa ram{0x100000}, root_table{0x100000}, context_table{0x101000},
    other_root{0x102000}, queue{0x103000}, status{0x104000}, interrupt_table{0x106000},
    other_interrupt_table{0x107000}, page_queue{0x108000}, directory{0x109000}, pasids{0x10a000};
inline constexpr u64 ram_size = 1 << 20;
inline constexpr Hpa tables[] = {{0x112000}, {0x111000}, {0x110000}};
inline constexpr Hpa page{0x180000};
inline constexpr Rid nic = Rid::of(0, 3, 0), disk = Rid::of(0, 4, 0);
inline constexpr Iova iova{0x12345000};
inline constexpr u64 go = u64{1} << 63;
inline constexpr unsigned iotlb_at = 0x100, fault_at = 0x200;

constexpr u64 bit(unsigned number) { return u64{1} << number; }

// 39 bits, two fault records, PSI with blocks of up to 512 pages; queue, device-TLBs, interrupts.
inline constexpr Capabilities legacy_unit{
    .cap = u64{0b10} << 8 | u64{38} << 16 | u64{fault_at / 16} << 24 | bit(39) | u64{1} << 40 |
           u64{9} << 48,
    .ecap = 1 | bit(1) | bit(2) | bit(3) | bit(4) | u64{iotlb_at / 16} << 8 | u64{4} << 20};
// The same with PASIDs, page requests and both stages; the second has 39 bits.
inline constexpr Capabilities scalable_unit{.cap = legacy_unit.cap,
                                            .ecap = legacy_unit.ecap | bit(26) | bit(29) | bit(40) |
                                                    bit(43) | bit(46) | bit(47) | bit(48) |
                                                    bit(49)};

class WithUnit : public testing::Test {
protected:
    explicit WithUnit(const Capabilities& can = legacy_unit) : unit(can, memory) {
        memory.add(ram, ram_size, Owner::old_kernel);
        memory.store(root_table, context_table.value | 1);
        if (can.scalable())
            enter_scalable();
        else
            enter_legacy();
        for (unsigned level = 3; level; level--)
            memory.store(slot(level), (level == 1 ? page : tables[level - 2]).value | 3);
        settle();
        unit.leave(command::translation | command::srtp,
                   root_table.value | rtaddr::ttm.make(can.scalable()));
    }

    void enter_legacy() {
        memory.store(context_table + nic.devfn() * 16U + 8, 5 << 8 | 1);
        memory.store(context_table + nic.devfn() * 16U, tables[2].value | 1);
    }
    // Everybody may do everything, with the same PASID table; PASID 0 is second stage.
    void enter_scalable() {
        for (const Rid rid : {nic, disk})
            memory.store(context_table + rid.devfn() * 32U, directory.value | 0b11101);
        memory.store(directory, pasids.value | 1);
        memory.store(pasids + 8, 5);
        memory.store(pasids, tables[2].value | 2 << 6 | 1 << 2 | 1);
    }
    static Hpa slot(unsigned level) {
        return tables[level - 1] + (iova.value >> level_shift(level) & 511) * 8;
    }
    void settle() {
        memory.flush(ram, ram_size);
        memory.drain();
    }

    std::set<Hpa> reach() {
        std::set<Hpa> found;
        for (const Outcome& outcome : unit.explore({.rid = nic, .iova = iova}).outcomes)
            if (const auto* to = std::get_if<Translation>(&outcome))
                found.insert(to->address);
        return found;
    }
    bool may_fault() {
        const auto found = unit.explore({.rid = nic, .iova = iova}).outcomes;
        return std::ranges::any_of(found,
                                   [](const auto& o) { return std::holds_alternative<Fault>(o); });
    }
    void clear() { memory.store(context_table + nic.devfn() * 16U, 0); }
    using Places = std::set<Hpa>;

    void command_complete(u32 value) {
        unit.write32(reg::gcmd, value);
        unit.read32(reg::gsts);
    }
    // Descriptors as wide as the unit's mode needs them.
    u64 width() const { return unit.scalable() ? 32 : 16; }
    void queue_on() {
        unit.write64(reg::iqa, queue.value | queue_address::wide.make(unit.scalable()));
        command_complete(command::translation | command::qie);
        EXPECT_TRUE(unit.read32(reg::gsts) & command::qie);
    }
    void describe(unsigned index, u64 low, u64 high = 0) {
        const Hpa at = queue + index * width();
        memory.store(at, low);
        memory.store(at + 8, high);
        for (u64 rest = 16; rest < width(); rest += 8)
            memory.store(at + rest, 0);
        settle();
    }
    // To the end of so many descriptors.
    void submit(unsigned number) { unit.write32(reg::iqt, static_cast<u32>(number * width())); }
    u64 done() { return unit.read64(reg::iqh) / width(); }

    Memory memory;
    Unit unit;
};

} // namespace vtd::test
