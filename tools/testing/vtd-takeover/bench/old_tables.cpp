// SPDX-License-Identifier: GPL-2.0-only
#include "old_tables.h"

#include <array>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <sys/mman.h>

#include "ram_map.h"

phys_addr_t bench_pasids_begin;
phys_addr_t bench_pasids_end;

namespace bench {

namespace {

constexpr std::size_t page_size = 4096;
constexpr std::size_t page_words = page_size / sizeof(u64);
constexpr u64 base = 0x1'0000'0000;
constexpr std::size_t size = 0x1000'0000;
constexpr unsigned entries_max = 65536;
constexpr unsigned buses = 256;

// Page tables are not looked at: their addresses need no memory.
constexpr u64 page_tables = 0x2'0000'0000;
constexpr u64 low_page_tables = 0x1000'0000;

// As Linux finds it on a PC of 16 GiB with 256 MiB put aside for the kdump kernel: low memory in
// pieces, and last of all what most tables lie in.
constexpr std::array<std::array<u64, 2>, 6> ram = {{
    {0x1000, 0x9f000},
    {0x10'0000, 0x5000'0000},
    {0x6000'0000, 0x6fff'0000},
    {0x7010'0000, 0x7a00'0000},
    {0x7b00'0000, 0x7c00'0000},
    {base, 0x4'8000'0000},
}};

// 9.3, 9.4, 9.5, 9.6, 9.10, as Linux fills them in
constexpr u64 present = 1;
constexpr u64 device_tlb = 1 << 2;
constexpr u64 aw_48_bits = 2;
constexpr unsigned did_shift = 8;
constexpr u64 pdts_512 = 2ULL << 9;         // a directory of one page
constexpr u64 pdts_16384 = 7ULL << 9;       // of 20 bits of PASID
constexpr std::size_t large_directory = 32; // in pages
constexpr u64 pasid_enable = 1 << 3;
constexpr u64 second_stage = 2ULL << 6 | aw_48_bits << 2;

} // namespace

OldTables::OldTables(Shape shape) : shape_(shape) {
    void* where = mmap(reinterpret_cast<void*>(base), size, PROT_READ | PROT_WRITE,
                       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED_NOREPLACE, -1, 0);
    if (where != reinterpret_cast<void*>(base)) {
        std::perror("vtd-counts: no memory at 4 GiB");
        std::exit(2);
    }
    unit_.scalable = shape.mode == Mode::scalable || shape.mode == Mode::pasids;
    unit_.snoops = shape.mode == Mode::snooping;
    unit_.devices = shape.devices;
    write_ram_map();
    write_interrupts();
    write_contexts();
}

OldTables::~OldTables() { munmap(reinterpret_cast<void*>(base), size); }

u64* OldTables::pages(std::size_t number) {
    if ((used_ + number) * page_size > size) {
        std::fputs("vtd-counts: too many devices\n", stderr);
        std::exit(2);
    }
    auto* first = reinterpret_cast<u64*>(base + used_ * page_size);
    used_ += number;
    return first;
}

void OldTables::write_ram_map() {
    u64* const header = pages(1);
    write_core_header(header, ram);
    unit_.elfcorehdr = reinterpret_cast<std::uintptr_t>(header);
}

void OldTables::write_interrupts() {
    interrupts_ = pages(entries_max * 2 * sizeof(u64) / page_size);
    for (unsigned i = 0; i < shape_.devices; i++) {
        // Fixed, to processor 1, a vector that devices get; of this requester alone.
        interrupts_[i * 2] = 1ULL << 32 | (0x30 + i % 0x80) << 16 | present;
        interrupts_[i * 2 + 1] = 1ULL << 18 | i;
    }
    constexpr u64 x2apic = 1 << 11;
    constexpr u64 all_entries = 15;
    unit_.irta = reinterpret_cast<std::uintptr_t>(interrupts_) | x2apic | all_entries;
}

u64* OldTables::entry(const u64* root, unsigned rid) const {
    constexpr u64 address = ~(page_size - 1);
    const unsigned words = unit_.scalable ? 4 : 2;
    const unsigned in_table = page_words / words;
    const u64 word = root[rid / 256 * 2 + rid % 256 / in_table];
    if ((word & present) == 0)
        return nullptr;
    return reinterpret_cast<u64*>(word & address) + rid % in_table * words;
}

// One table, one entry: all that a device has whose driver asks for no PASID.
u64 OldTables::pasid_directory(unsigned rid) {
    u64* directory = pages(shape_.mode == Mode::pasids ? large_directory : 1);
    u64* table = pages(1);
    table[0] = (page_tables + rid * page_size) | second_stage | present;
    table[1] = did(rid);
    directory[0] = reinterpret_cast<std::uintptr_t>(table) | present;
    return reinterpret_cast<std::uintptr_t>(directory) | present |
           (shape_.mode == Mode::pasids ? pdts_16384 | pasid_enable : pdts_512);
}

void OldTables::write_contexts() {
    root_ = pages(1);
    unit_.rtaddr = reinterpret_cast<std::uintptr_t>(root_) | (unit_.scalable ? 1ULL << 10 : 0);
    const unsigned in_table = unit_.scalable ? 128 : 256;
    for (unsigned rid = 0; rid < shape_.devices; rid += in_table)
        root_[rid / 256 * 2 + rid % 256 / in_table] =
            reinterpret_cast<std::uintptr_t>(pages(1)) | present;

    const u64 begin = base + used_ * page_size;
    for (unsigned rid = 0; rid < shape_.devices; rid++) {
        u64* words = entry(rid);
        if (unit_.scalable) {
            words[0] = pasid_directory(rid);
        } else {
            words[0] = (page_tables + rid * page_size) | present;
            if (shape_.mode == Mode::mixed && rid % 2 != 0)
                words[0] |= device_tlb;
            if (shape_.mode == Mode::scattered && rid % 2 != 0)
                words[0] -= page_tables - low_page_tables;
            words[1] = did(rid) << did_shift | aw_48_bits;
        }
    }
    bench_pasids_begin = begin;
    bench_pasids_end = base + used_ * page_size;
}

} // namespace bench
