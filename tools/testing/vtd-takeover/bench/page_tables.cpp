// SPDX-License-Identifier: GPL-2.0-only
#include "page_tables.h"

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <random>
#include <sys/mman.h>

#include "ram_map.h"

namespace bench {

namespace {

constexpr std::size_t page_size = 4096;
constexpr std::size_t page_words = page_size / sizeof(u64);
constexpr u64 gib = u64{1} << 30;
constexpr unsigned levels = 4;

// Where the tables lie. The kdump kernel is in the midst of the RAM, so that what is mapped lies on
// both sides of it.
constexpr u64 base = 16 * gib;
constexpr u64 ram_start = 4 * gib;
constexpr u64 crash_end = BENCH_CRASH_START + BENCH_CRASH_SIZE;
constexpr u64 ram_end = crash_end + 1024 * gib;
constexpr std::array<std::array<u64, 2>, 3> ram = {{
    {0x1000, BENCH_LOW_END},
    {0x10'0000, 0x7000'0000},
    {ram_start, ram_end},
}};

// 9.8
constexpr u64 read_write = 3;
constexpr u64 large = 1 << 7;

constexpr u64 size_of(unsigned level) { return u64{page_size} << (level - 1) * 9; }

// Of all levels. Each is at least one; a table of a level is what a leaf of the next one would be.
std::size_t number_of_tables(Mapped mapped) {
    std::size_t number = 0;
    for (unsigned level = mapped.level; level <= levels; level++)
        number += std::max<std::size_t>(1, mapped.gib * gib / size_of(level + 1));
    return number;
}

// The same one for the same number, with no order to be seen.
u64 mixed(u64 number) {
    number = (number ^ number >> 31) * 0x7fb5d329728ea185;
    number = (number ^ number >> 27) * 0x81dadef4bc2dd44d;
    return number ^ number >> 33;
}

} // namespace

std::string Mapped::name() const {
    static constexpr std::array sizes = {"4K", "2M", "1G"};
    return std::string(sizes.at(level - 1)) + (shuffled ? "-shuffled" : "") +
           (scattered ? "-scattered" : "") + "/" + std::to_string(gib);
}

PageTables::PageTables(Mapped mapped) : mapped_(mapped) {
    const std::size_t number = number_of_tables(mapped);
    size_ = (number + 1) * page_size;
    void* where = mmap(reinterpret_cast<void*>(base), size_, PROT_READ | PROT_WRITE,
                       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED_NOREPLACE, -1, 0);
    if (where != reinterpret_cast<void*>(base)) {
        std::perror("no memory at 16 GiB");
        std::exit(2);
    }
    // As the kernel maps large windows.
    madvise(where, size_, MADV_HUGEPAGE);

    write_ram_map();
    for (std::size_t n = number; n; n--)
        free_.push_back(reinterpret_cast<u64*>(base + n * page_size));
    if (mapped.shuffled)
        std::shuffle(free_.begin(), free_.end(), std::mt19937_64(1));
    leaves_left_ = mapped.gib * gib / size_of(mapped.level);
    leaves_.reserve(leaves_left_);
    top_ = table(levels);
}

PageTables::~PageTables() { munmap(reinterpret_cast<void*>(base), size_); }

u64* PageTables::page() {
    u64* const page = free_.back();
    free_.pop_back();
    tables_.push_back(page);
    return page;
}

u64 PageTables::table(unsigned level) {
    u64* const words = page();
    for (std::size_t i = 0; i < page_words && leaves_left_; i++) {
        if (level > mapped_.level) {
            words[i] = table(level - 1) | read_write;
            continue;
        }
        words[i] = target(leaves_.size());
        leaves_.push_back(words + i);
        leaves_left_--;
    }
    return reinterpret_cast<std::uintptr_t>(words);
}

u64 PageTables::target(std::size_t leaf) const {
    const u64 size = size_of(mapped_.level);
    u64 at = crash_end + leaf * size;
    if (mapped_.scattered) {
        at = ram_start + mixed(leaf) % ((ram_end - ram_start) / size) * size;
        if (at >= BENCH_CRASH_START && at < crash_end)
            at -= BENCH_CRASH_SIZE;
    }
    return at | read_write | (mapped_.level > 1 ? large : 0);
}

void PageTables::spoil(std::size_t bad) {
    const u64 word = BENCH_CRASH_START | read_write | (mapped_.level > 1 ? large : 0);
    for (const std::size_t leaf : spoiled_)
        *leaves_[leaf] = target(leaf);
    spoiled_.clear();
    for (std::size_t n = 0; n < bad; n++) {
        spoiled_.push_back(n * leaves_.size() / bad);
        *leaves_[spoiled_.back()] = word;
    }
}

bench_guarded PageTables::guarded(unsigned devices) const {
    bench_guarded guarded{};
    guarded.top = top_;
    guarded.levels = levels;
    guarded.devices = devices;
    // What is known of the tables, the way to each bad leaf, and what is needed in any case.
    guarded.budget = static_cast<unsigned>(
        tables_.size() / 200 + std::min(tables_.size(), levels * spoiled_.size()) + 128);
    return guarded;
}

std::string PageTables::judge(const bench_walked& walked) const {
    if (walked.dropped)
        return "the device was dropped";
    if (walked.tables != tables_.size())
        return "not every table was visited, or one twice";
    if (walked.bytes != tables_.size() * page_size)
        return "a table was not read once";
    if (walked.cut != spoiled_.size())
        return "not every bad leaf was cut, or a good one was";
    if ((walked.pages_kept == 0) != spoiled_.empty())
        return "copies, and nothing bad, or none";
    return "";
}

void PageTables::write_ram_map() {
    write_core_header(reinterpret_cast<void*>(base), ram);
    bench_guarded_learn(base);
}

} // namespace bench
