// SPDX-License-Identifier: GPL-2.0-only
//
// What a healthy kernel has written for a real unit by the time at which it panics, on machines of
// up to 16 TiB. Page tables of terabytes are made when they are read: what a word is follows from
// its place. What the unit then does with an address is for the model to say, by the old tables and
// by ours.

#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <utility>
#include <vector>

#include "harness/hardware.h"
#include "harness/machine.h"
#include "model/translation.h"

namespace vtd {

using Range = std::pair<u64, u64>; // the second one is the first address behind it

// A machine's addresses, and those of them that the kdump kernel has.
struct Layout {
    std::vector<Range> ram;
    std::vector<Range> windows; // of buses: registers, and all that is no RAM
    std::vector<Range> kdump;
    u64 end() const;            // of RAM
    bool holds(u64 page) const; // is there anything, RAM or in a window?
};

// So much RAM as server boards lay it out: below 640 KiB, up to 2 GiB, and from 4 GiB on.
Layout machine_of(u64 ram, unsigned address_bits, std::vector<Range> kdump);

// What a device's domain is.
enum class Mapping {
    few,          // what drivers map: some pages of 4 KiB, all over the place
    pass_through, // iommu=pt; a unit without ECAP.PT gets tables that map all RAM to itself
    guest_2m,     // half a terabyte of a virtual machine
    guest_1g,
    scattered, // a terabyte in pages of 4 KiB
};
const char* name(Mapping mapping);

enum class Tables { legacy, second_stage, first_stage };
const char* name(Tables tables);

class Healthy {
public:
    // `machine` has the unit.
    Healthy(Machine& machine, const RealUnit& unit, const Layout& layout, Tables tables);
    // It makes pages of old memory for the machine as long as it lives.
    ~Healthy();
    Healthy(const Healthy&) = delete;
    Healthy& operator=(const Healthy&) = delete;

    // Can a kernel make such tables for the unit?
    static bool is_possible(const RealUnit& unit, Tables tables, Mapping mapping);

    // One device more, with a domain of its own. Those that pass through have one. What firmware
    // reserves is mapped to itself, beside few pages.
    void add(Rid rid, Mapping mapping, const std::vector<Range>& reserved = {});
    u64 rtaddr() const;

    // Addresses to ask for: borders of all that there is, and some of what the device has mapped.
    std::vector<u64> samples(Mapping mapping) const;
    // Where an address leads by the old tables and by those that the unit has now.
    std::optional<u64> before(Rid rid, u64 iova, model::Access access);
    std::optional<u64> now(Rid rid, u64 iova, model::Access access);

private:
    struct Region {
        u64 first, pages;
        std::function<void(u64, std::span<u64>)> fill;
    };
    u64 page();
    u64 region(u64 pages, std::function<void(u64, std::span<u64>)> fill);
    bool make(u64 at, std::span<u64> words) const;
    u64* words(u64 at); // of a page that is kept

    u64 rights() const;
    bool has_pages(unsigned level) const;
    u64 above(u64 table, unsigned level); // a top table that leads to it
    u64 few();
    void map_to_itself(u64 top, const Range& reserved);
    u64 identity();
    u64 guest(unsigned level);
    u64 scattered();
    u64 target(u64 number, u64 size) const;
    u64 table_of(Mapping mapping);
    std::optional<u64> walk(u64 rtaddr, Rid rid, u64 iova, model::Access access);

    Machine& machine_;
    const RealUnit& unit_;
    const Layout& layout_;
    Tables tables_;
    unsigned levels_;
    u64 root_, next_;
    std::vector<Region> regions_;
    u64 shared_ = 0; // identity tables
    u16 shared_did_ = 0;
    u16 next_did_ = 2;
};

} // namespace vtd
