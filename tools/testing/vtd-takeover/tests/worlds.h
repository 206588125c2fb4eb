// SPDX-License-Identifier: GPL-2.0-only
//
// Small machines that the tests share, and what units can be like.

#pragma once

#include "world/description.h"

namespace vtd::harness {

using namespace vtd::model;

// What changes what software has to do.
struct Variant {
    bool scalable, coherent, write_buffer, caching_mode, esrtps;

    static Variant of(unsigned bits) {
        return {(bits & 1) != 0, (bits & 2) != 0, (bits & 4) != 0, (bits & 8) != 0,
                (bits & 16) != 0};
    }
    static constexpr unsigned all = 32;
};

// 256 domain ids, 39 and 48 bits, pages of 2 MiB and 1 GiB, all translation types.
inline Capabilities capabilities(const Variant& variant) {
    constexpr auto bit = [](unsigned n) { return u64{1} << n; };
    return {.cap = 2 | u64{variant.write_buffer} << 4 | u64{variant.caching_mode} << 7 | bit(9) |
                   bit(10) | u64{47} << 16 | u64{0x40} << 24 | bit(34) | bit(35) | bit(56) |
                   u64{variant.esrtps} << 63,
            .ecap = u64{variant.coherent} | bit(2) | bit(6) | bit(26) | bit(40) | bit(43) |
                    bit(46) | bit(47) | bit(48) * variant.coherent,
            .host_width = 39};
}

inline Hpa target_page(unsigned n) { return world::first_target + n * page_size; }

// Two devices in one domain, one of them with a device-TLB; one behind a bridge, of which the bus
// sees the bridge's id as well; one passed through. The ids are those that a kernel gives first.
inline world::Description small_machine(const Variant& variant) {
    return {
        .units = {{capabilities(variant), variant.scalable}},
        .domains = {{.did = {2},
                     .pages = {{{0x1000}, target_page(0)},
                               {{0x40002000}, target_page(1), page_bits, true, false}}},
                    {.did = {3}, .pages = {{{0x1000}, target_page(2)}}},
                    {.did = {4},
                     .paging = world::Paging::pass_through,
                     .pages = {{{target_page(3).value}, target_page(3)}}}},
        .devices = {{.unit = 0, .rids = {Rid::of(0, 1, 0)}, .domain = 0},
                    {.unit = 0, .rids = {Rid::of(0, 31, 2)}, .domain = 0, .ats = true},
                    {.unit = 0, .rids = {Rid::of(3, 4, 0), Rid::of(3, 0, 0)}, .domain = 1},
                    {.unit = 0, .rids = {Rid::of(0, 2, 0)}, .domain = 2}},
    };
}

// The same, and firmware needs some memory for the device behind the bridge (RMRR).
inline world::Description machine_with_reserved_memory(const Variant& variant) {
    world::Description description = small_machine(variant);
    // And pages beside it, whose words lie in other lines of each table of it.
    const u64 there = world::firmware_memory.value;
    std::vector<world::Page>& pages = description.domains[1].pages;
    pages.push_back({{there}, world::firmware_memory});
    pages.push_back({{there + world::firmware_size}, target_page(4)});
    pages.push_back({{there + (u64{16} << 21)}, target_page(5)});
    pages.push_back({{there + (u64{16} << 30)}, target_page(6)});
    description.devices[2].reserved = true;
    return description;
}

// A device of its own page on each of two units; the second one is the last of its bus. Nobody else
// has its domain.
inline world::Description two_units(const Variant& variant) {
    return {
        .units = {{capabilities(variant), variant.scalable},
                  {capabilities(variant), variant.scalable}},
        .domains = {{.did = {2}, .pages = {{{0x1000}, target_page(0)}}},
                    {.did = {3}, .pages = {{{0x1000}, target_page(1)}}}},
        .devices = {{.unit = 0, .rids = {Rid::of(0, 1, 0)}, .domain = 0},
                    {.unit = 1, .rids = {Rid::of(0x80, 31, 7)}, .domain = 1}},
    };
}

// Both of one unit.
inline world::Description one_unit(const Variant& variant) {
    world::Description description = two_units(variant);
    description.units.pop_back();
    description.devices[1].unit = 0;
    description.devices[1].rids = {Rid::of(0, 2, 0)};
    return description;
}

} // namespace vtd::harness
