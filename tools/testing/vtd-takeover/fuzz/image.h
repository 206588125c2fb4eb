// SPDX-License-Identifier: GPL-2.0-only
//
// A dead machine as bytes, for fuzzers: its registers, what firmware and the driver do, then the
// words of its memory one by one. Any bytes are an image, and a longer one differs from a shorter
// one by its last stores only. Judges nothing.

#pragma once

#include <span>
#include <vector>

#include "harness/machine.h"

namespace vtd::fuzz {

// The crashed kernel's RAM. Its first page holds the ELF core header.
inline constexpr unsigned pages = 64;
inline constexpr u64 page_size = VTD_TABLE_SIZE;
inline constexpr Phys memory{0x10000000};
constexpr Phys page(unsigned number) { return {memory.value + number % pages * page_size}; }

// Little endian, without gaps; what the bytes do not reach to is zero.
struct Head {
    u64 cap, ecap, rtaddr, irta;
    u64 fault_low, fault_high; // each of the fault records
    u64 iova;                  // of requests that are tried
    u64 firmware;              // where memory begins that is reserved for the first of `rids`
    u64 pqa;
    u32 gsts, fsts, iqh, iqt;
    u32 pasid;
    u32 asking;   // how often a device asks for a page yet while the old queue is read; an even
                  // number of times when its head is written, an odd one also before that
    u16 rids[4];  // devices that are released, in this order
    u16 pqh, pqt; // in page requests
    u16 switches;
    u8 allocations; // that succeed, less one; 0: all
    u8 poisoned;    // page that cannot be read; 0: none
};
static_assert(sizeof(Head) == 112);

enum Switch : u16 {
    scalable = 1 << 0,    // the mode that the driver runs in is scalable mode
    block = 1 << 1,       // intel_iommu_takeover=block
    x2apic = 1 << 2,      // of the interrupt table of ours
    headless = 1 << 3,    // there is no core header
    deaf = 1 << 4,        // the unit completes no command
    stuck = 1 << 5,       // its queue does not move
    aliased = 1 << 6,     // the second of `rids` is an alias of the first
    reserves = 1 << 7,    // firmware reserves memory
    few_vectors = 1 << 8, // this kernel keeps most interrupt vectors to itself
    translated = 1 << 9   // TES is set whatever `gsts` says
};

// From `word` of `page` on, the value is stored `count` times, each `stride` words after the last.
struct Store {
    u16 page, word, count, stride;
    u64 value;
};
static_assert(sizeof(Store) == 16);

struct Image {
    Head head{};
    std::vector<Store> stores{};

    static Image parse(std::span<const u8> bytes);
    std::vector<u8> bytes() const;

    bool has(Switch which) const { return head.switches & which; }
    // The driver asks for scalable mode only where there is such a mode.
    bool in_scalable_mode() const { return has(scalable) && head.ecap & VTD_ECAP_SMTS; }
    // Fills memory and registers of a machine.
    void load(Machine& machine) const;
};

// Changes an image by what tables are made of: a way through them to a page, a table that contains
// itself, an entry repeated, a pointer to somewhere odd. The same for the same seed.
Image mutate(Image image, unsigned seed);
// One's registers, and some stores of both.
Image cross(Image one, const Image& other, unsigned seed);

} // namespace vtd::fuzz
