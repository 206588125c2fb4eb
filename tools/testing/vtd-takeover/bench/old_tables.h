// SPDX-License-Identifier: GPL-2.0-only
// What a crashed Linux leaves behind for so many devices: root and context tables, PASID
// structures, an interrupt table, the map of its RAM. Good tables only: what a bad entry costs is
// not asked here, the tests of the model ask what becomes of it.
#pragma once

#include <cstddef>

#include "bench.h"

namespace bench {

// Of legacy mode are also these: mixed, every other device with a device-TLB; scattered, every
// other one with page tables in another range of RAM; snooping, the unit snoops its tables.
enum class Mode { legacy, mixed, scattered, snooping, scalable, pasids };

struct Shape {
    Mode mode = Mode::legacy;
    unsigned devices = 0; // requester ids from 0 on; as many entries of the interrupt table
};

// Old memory is memory of this process, at addresses of its own: at 4 GiB, where a PC has most of
// its RAM, and where nothing else of the process lies.
class OldTables {
public:
    explicit OldTables(Shape shape);
    ~OldTables();
    OldTables(const OldTables&) = delete;
    OldTables& operator=(const OldTables&) = delete;

    [[nodiscard]] const bench_unit& unit() const { return unit_; }

    // The words of a device's entry, of the old table or of another root table in that mode.
    [[nodiscard]] u64* entry(unsigned rid) const { return entry(root_, rid); }
    [[nodiscard]] u64* entry(const u64* root, unsigned rid) const;
    [[nodiscard]] const u64* interrupts() const { return interrupts_; }
    [[nodiscard]] static unsigned did(unsigned rid) { return rid + 2; }

private:
    u64* pages(std::size_t number);
    void write_ram_map();
    void write_contexts();
    u64 pasid_directory(unsigned rid);
    void write_interrupts();

    Shape shape_;
    std::size_t used_ = 0;
    u64* root_ = nullptr;
    u64* interrupts_ = nullptr;
    bench_unit unit_{};
};

} // namespace bench
