// SPDX-License-Identifier: GPL-2.0-only
//
// A dead machine for the guard, as bytes: what the unit can do and what this kernel allows, then
// steps that write tables, forbid memory, and let things fail. An address is not written as one but
// as what it is: a table, this kernel's page, the page beside it. So most bytes are page tables
// that lead somewhere. Any bytes are a maze. Judges nothing.

#pragma once

#include <map>
#include <span>
#include <vector>

#include "fuzz/image.h"

namespace vtd::fuzz {

// Tables of the crashed kernel, behind its root and context tables; then some where none may be: in
// this kernel's memory, in what devices have, in RAM that cannot be read.
inline constexpr unsigned first_table = 4, good_tables = 28, all_tables = 32;
// RAM behind `pages` that has never been written.
inline constexpr u64 hole_pages = 16;
// Behind the tables, so that RAM begins with what nobody forbids.
inline constexpr Phys elfcorehdr = page(first_table + good_tables);

inline constexpr u64 crash_start = 0x20003000, crash_end = 0x2fff5000, low_end = 0x9f000;
// Where this process has its memory, and so our tables.
inline constexpr u64 ours_start = 0x500000000000, ours_end = 0x800000000000;

// More than the guard takes something back for.
inline constexpr Rid devices[] = {Rid::of(0, 1, 0), Rid::of(0, 31, 2), Rid::of(0, 2, 0),
                                  Rid::of(0, 3, 0), Rid::of(0, 4, 0),  Rid::of(0, 5, 0),
                                  Rid::of(0, 6, 0), Rid::of(0, 7, 0),  Rid::of(0, 8, 0),
                                  Rid::of(0, 9, 0), Rid::of(0, 10, 0), Rid::of(0, 11, 0)};

// Of zeroes there is a good machine.
struct MazeHead {
    u16 lacks;      // of capabilities, bit by bit
    u8 sagaw;       // what is wrong with it
    u8 width;       // and with MGAW
    u8 switches;    // MazeSwitch, bit by bit
    u8 budget;      // see Maze::budget()
    u8 allocations; // that succeed, less one; 0: all
    u8 odds;        // bit 0: there is no domain id left; 1: nobody wants a guard; 7: what cannot be
                    // guarded goes on as on stock; the rest: tags
};
static_assert(sizeof(MazeHead) == 8);

enum class Lack : u16 {
    pages_2m = 1 << 0,
    pages_1g = 1 << 1,
    first_1g = 1 << 2,
    zlr = 1 << 3,
    first_5_levels = 1 << 4,
    second_stage = 1 << 5,
    first_stage = 1 << 6,
    pass_through = 1 << 7,
    nesting = 1 << 8,
    pasids = 1 << 9,
    rid_pasid = 1 << 10,
    supervisors = 1 << 11,
    device_tlb = 1 << 12
};

enum class MazeSwitch : u8 {
    scalable = 1 << 0,
    cuts = 1 << 1,        // no scratch page
    far = 1 << 2,         // this process's memory counts as nobody's
    unanswering = 1 << 3, // devices do not answer when they are asked to forget
    remembering = 1 << 4, // they have a device-TLB
    no_crash = 1 << 5,    // nothing is forbidden but what the steps forbid
    wide = 1 << 6,        // addresses have 42 bits, not 36
    vast = 1 << 7         // there is memory for more copies than the guard can number
};

// What it does is for `kind` to say, see Maze::load().
struct Step {
    u8 kind, table, slot, how;
    u16 number, count;
};
static_assert(sizeof(Step) == 8);

// A range of pages that became forbidden, or was allowed.
struct Ruling {
    u64 start, end;
    bool forbids;
};

// A table that lets itself be read only so often.
struct Failing {
    unsigned reads = 0;
    bool poisoned = false;
};

struct Maze {
    MazeHead head{};
    std::vector<Step> steps{};

    static Maze parse(std::span<const u8> bytes);
    std::vector<u8> bytes() const;

    bool has(MazeSwitch which) const { return head.switches & static_cast<u8>(which); }
    bool lacks(Lack which) const { return head.lacks & static_cast<u16>(which); }
    unsigned budget() const;
    // How many more ids of devices can be noted; 0: as many as a unit has room for.
    unsigned tags() const { return head.odds >> 2 & 31; }
    bool lenient() const { return head.odds & 0x80; }
    // Fills memory and registers of a machine. Forbids what is forbidden.
    void load(Machine& machine);

    // What came of it.
    std::vector<Ruling> rulings;
    std::map<u64, Failing> failing;
    std::vector<u32> used_pasids;
    std::vector<Step> notes; // for the memo alone

private:
    u64 place(unsigned what, u64 number) const;
    void rule(u64 start, u64 end, bool forbids);
    void device(Machine& machine, const Step& step);
    void pasid_entry(Machine& machine, const Step& step);
    void range(Machine& machine, const Step& step);
};

// Where a table lies, of any number.
u64 table_at(unsigned number);

// See image.h.
Maze mutate(Maze maze, unsigned seed);
Maze cross(Maze one, const Maze& other, unsigned seed);

} // namespace vtd::fuzz
