// SPDX-License-Identifier: GPL-2.0-only
//
// A tiny dead machine for tests: three devices of a crashed kernel on two buses,
// two of them in one domain, one with an alias. What becomes of it is for the
// tests to say.

#pragma once

#include <algorithm>
#include <array>
#include <set>
#include <span>
#include <string_view>

#include <gtest/gtest.h>

#include "harness/machine.h"

namespace vtd {

inline constexpr Phys old_root{0x10000000};
inline constexpr Phys table_of_bus_0{0x10001000};
inline constexpr Phys upper_of_bus_0{0x10002000};
inline constexpr Phys table_of_bus_3{0x10003000};
inline constexpr Phys header{0x2a000000};
inline constexpr u64 ram_size = 0x1000000;

inline constexpr Rid nic = Rid::of(0, 1, 0);
inline constexpr Rid disk = Rid::of(0, 31, 2);
inline constexpr Rid sound = Rid::of(3, 4, 0);
inline constexpr Rid bridge_alias = Rid::of(3, 0, 0);

inline constexpr Did shared{5};
inline constexpr Did single{9};

// A context entry that nobody could mistake for another.
struct Entry {
    Rid rid;
    Did did;
    bool devtlb;
};
inline constexpr std::array entries{Entry{nic, shared, false}, Entry{disk, shared, true},
                                    Entry{sound, single, false},
                                    Entry{bridge_alias, single, false}};

enum class Mode { Legacy, Scalable };

class DeadMachine : public testing::TestWithParam<Mode> {
protected:
    DeadMachine() {
        machine.unit.scalable = scalable();
        machine.unit.cap = 2 | 1 << 10;     // ND: 256 domain ids; SAGAW: 48 bits
        machine.unit.ecap = 1ULL << 46 | 4; // SSTS, DT
        leave_registers();
        const std::array ranges{std::pair{old_root, ram_size}};
        machine.write_elfcorehdr(header, ranges);
        EXPECT_EQ(takeover_oldmem_learn(header.value), 0);

        Page& root = machine.old_page(old_root);
        root[0] = table_of_bus_0.value | 1;
        root[2 * 3] = table_of_bus_3.value | 1;
        if (scalable())
            root[1] = upper_of_bus_0.value | 1;
        machine.old_page(table_of_bus_0);
        machine.old_page(upper_of_bus_0);
        machine.old_page(table_of_bus_3);
        for (const Entry& entry : entries)
            write(entry);
    }

    bool scalable() const { return GetParam() == Mode::Scalable; }
    std::size_t words() const { return scalable() ? 4 : 2; }

    // Where the crashed kernel keeps an entry.
    std::span<u64> old(Rid rid) {
        const bool upper = scalable() && (rid.value & 0x80);
        Phys page = rid.value >> 8 ? table_of_bus_3 : upper ? upper_of_bus_0 : table_of_bus_0;
        const std::size_t index = rid.value & (scalable() ? 0x7f : 0xff);
        return std::span{machine.old_page(page)}.subspan(index * words(), words());
    }

    std::span<const u64> ours(Rid rid) {
        const u64* entry = takeover_context_entry(&machine.unit, rid.value);
        return entry ? std::span{entry, words()} : std::span<const u64>{};
    }

    void write(const Entry& entry) {
        const auto to = old(entry.rid);
        to[0] = 0x10040000ULL | u64{entry.rid.value} << 12 | 1;
        to[0] |= entry.devtlb ? 1ULL << 2 : 0; // TT = 01b, or DTE
        to[1] = u64{entry.did.value} << 8 | 2;
    }

    void adopt(takeover_mode mode = TAKEOVER_ADOPT) {
        takeover_snapshot(&machine.unit);
        takeover_adopt(&machine.unit, machine.new_root(), mode);
    }

    void adopt_and_install(takeover_mode mode = TAKEOVER_ADOPT) {
        adopt(mode);
        ASSERT_EQ(takeover_install(&machine.unit), 0);
        machine.events.clear();
    }

    std::set<Rid> held() const {
        std::set<Rid> found;
        for (unsigned rid = 0; rid < 0x10000; rid++)
            if (takeover_holds_rid(&machine.unit, static_cast<u16>(rid)))
                found.insert({static_cast<u16>(rid)});
        return found;
    }

    std::vector<Op> ops() const {
        std::vector<Op> found;
        for (const Event& event : machine.events)
            found.push_back(event.op);
        return found;
    }

    bool logged(std::string_view part) const {
        return std::ranges::any_of(machine.log,
                                   [&](const auto& line) { return line.find(part) != line.npos; });
    }

    std::size_t lines(std::string_view part) const {
        return static_cast<std::size_t>(std::ranges::count_if(
            machine.log, [&](const auto& line) { return line.find(part) != line.npos; }));
    }

    // Not present, and not reported: what CLOSED asks for.
    bool blocked(Rid rid) {
        const auto entry = ours(rid);
        return entry.size() && entry[0] == 2;
    }

    // As the crashed kernel left them.
    void leave_registers() {
        machine.gsts = 0xc5000000; // TES, RTPS, QIES, IRTPS
        machine.rtaddr = old_root.value | (scalable() ? 1ULL << 10 : 0);
    }

    // Before the takeover, with whatever the old tables hold by now.
    void start_again() {
        machine.forget();
        leave_registers();
    }

    static bool same(std::span<const u64> a, std::span<const u64> b) {
        return std::ranges::equal(a, b);
    }

    Machine machine;
};

inline const std::set all_rids{nic, disk, sound, bridge_alias};

} // namespace vtd
