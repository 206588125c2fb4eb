// SPDX-License-Identifier: GPL-2.0-only
//
// window.c on physical memory that is a file: each address has its own contents, a mapping ends
// where it was asked to end, and what was unmapped is not there any more. Whether an address may be
// read at all is core_test's.

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdarg>
#include <cstring>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include <sys/mman.h>
#include <unistd.h>

#include <gtest/gtest.h>

#include "world/core_header.h"

extern "C" {
#include <asm/early_ioremap.h>
#include <linux/io.h>
#include <linux/slab.h>
#include <linux/uaccess.h>

#include "env.h"
#include "unit.h"
}

namespace {

constexpr u64 page_size = VTD_TABLE_SIZE, gib = u64{1} << 30, tib = u64{1} << 40;
constexpr u64 window_size = TAKEOVER_WINDOW_SIZE;
// Windows that lie so far from each other have one place.
constexpr u64 same_place = 512 * window_size;
constexpr u64 header = 7 * gib;
constexpr u64 memory_size = 2 * tib;

struct Range {
    u64 start, end;
};
constexpr std::array ram{Range{0x1000, 0x9f000},
                         Range{0x100000, 0x180000},
                         Range{0x190000, 2 * gib},
                         Range{4 * gib, 8 * gib},
                         Range{same_place, same_place + 0x200000},
                         Range{same_place + 4 * gib + 0x3000, same_place + 6 * gib}};
// This kernel's own, as far as the crashed kernel calls it RAM.
constexpr std::array forbidden{Range{0x8000, 0x9000}, Range{gib + 0x5000, gib + 0x9000},
                               Range{header, header + page_size}};

struct Mapping {
    u64 first, size;
    char* whole; // with a page before and behind that nobody may touch
    std::size_t whole_size;
    bool early;
};

class Memory {
public:
    Memory() : file_(memfd_create("memory", 0)) {
        if (file_ < 0 || ftruncate(file_, static_cast<off_t>(memory_size)))
            std::abort();
    }
    void write(u64 at, const void* bytes, std::size_t size) const {
        if (pwrite(file_, bytes, size, static_cast<off_t>(at)) != static_cast<ssize_t>(size))
            std::abort();
    }

    void* map(u64 at, std::size_t size, bool early) {
        mapped++;
        if (failing && failing-- == 1)
            return nullptr;
        if (early != !slab)
            ADD_FAILURE() << "WARY: no such mapping at this time";
        const u64 begin = at & -page_size, end = (at + size + page_size - 1) & -page_size;
        // What is mapped at once is one range of the crashed kernel's RAM, and not ours.
        if (end - begin > 2 * page_size) {
            EXPECT_TRUE(std::ranges::any_of(
                ram, [&](const Range& r) { return at >= r.start && at + size <= r.end; }))
                << "WARY: no RAM is mapped at " << std::hex << at;
            EXPECT_TRUE(std::ranges::none_of(
                forbidden, [&](const Range& r) { return at < r.end && at + size > r.start; }))
                << "SHIELD: this kernel's memory is mapped at " << std::hex << at;
        }
        const std::size_t whole_size = end - begin + 2 * page_size;
        char* const whole = static_cast<char*>(mmap(
            nullptr, whole_size, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0));
        if (mmap(whole + page_size, end - begin, PROT_READ, MAP_SHARED | MAP_FIXED, file_,
                 static_cast<off_t>(begin)) == MAP_FAILED)
            std::abort();
        char* const result = whole + page_size + at % page_size;
        live[result] = {at, size, whole, whole_size, early};
        return result;
    }
    void unmap(void* at, bool early) {
        const auto found = live.find(static_cast<const char*>(at));
        if (found == live.end() || found->second.early != early) {
            ADD_FAILURE() << "WARY: unmapped what is not mapped";
            return;
        }
        munmap(found->second.whole, found->second.whole_size);
        live.erase(found);
    }
    // All of it has to be mapped.
    const Mapping* mapping(const void* at, std::size_t size) const {
        auto next = live.upper_bound(static_cast<const char*>(at));
        if (next == live.begin())
            return nullptr;
        const auto& [start, found] = *--next;
        const auto offset = static_cast<std::size_t>(static_cast<const char*>(at) - start);
        return offset < found.size && size <= found.size - offset ? &found : nullptr;
    }
    u64 address(const void* at) const {
        const Mapping* const found = mapping(at, 1);
        return found->first +
               static_cast<u64>(static_cast<const char*>(at) - (found->whole + page_size)) -
               found->first % page_size;
    }

    std::map<const char*, Mapping> live;
    std::set<u64> poison; // pages
    bool slab = true;
    unsigned mapped = 0, failing = 0; // the how many-th fails

private:
    int file_;
};

Memory* memory;

} // namespace

extern "C" {
void* memremap(phys_addr_t at, size_t size, unsigned long flags) {
    EXPECT_EQ(flags, MEMREMAP_WB);
    return memory->map(at, size, false);
}
void memunmap(void* at) { memory->unmap(at, false); }
void* early_memremap(phys_addr_t at, unsigned long size) { return memory->map(at, size, true); }
void early_memunmap(void* at, unsigned long) { memory->unmap(at, true); }
bool slab_is_available() { return memory->slab; }

unsigned long copy_mc_to_kernel(void* to, const void* from, unsigned long size) {
    if (!memory->mapping(from, size)) {
        ADD_FAILURE() << "WARY: read where nothing is mapped";
        return size;
    }
    const u64 at = memory->address(from);
    for (u64 page = at & -page_size; page < at + size; page += page_size)
        if (memory->poison.contains(page))
            return size;
    std::memcpy(to, from, size);
    return 0;
}

bool vtd_may_be_old_ram(phys_addr_t, size_t) { return true; }
bool vtd_is_populated(u64, u64) { return false; }
void shim_printk(const char*, ...) {}
}

namespace {

// What an address holds: itself, and nobody else holds it.
std::array<u64, 512> contents(u64 page) {
    std::array<u64, 512> words{};
    for (std::size_t n = 0; n < words.size(); n++)
        words[n] = page + n * sizeof(u64);
    return words;
}

class Windows : public testing::Test {
protected:
    Windows() {
        memory = &memory_;
        for (const Range& range : ram) {
            tell(range.start);
            tell((range.start + range.end) / 2 & -page_size);
            tell(range.end - page_size);
            for (u64 border = (range.start / window_size + 1) * window_size; border < range.end;
                 border += window_size) {
                tell(border - page_size);
                tell(border);
            }
        }
        for (const Range& range : forbidden) {
            tell(range.start - page_size);
            tell(range.start);
            tell(range.end - page_size);
            tell(range.end);
        }
        learn();
        takeover_forbid_nothing();
        for (const Range& range : forbidden)
            takeover_forbid(range.start, range.end);
        takeover_close_windows();
        memory_.mapped = 0;
    }
    ~Windows() override {
        takeover_close_windows();
        EXPECT_TRUE(memory_.live.empty()) << "WARY: something stays mapped";
        takeover_forbid_nothing();
    }

    void tell(u64 page) {
        if (page == header)
            return;
        memory_.write(page, contents(page).data(), page_size);
        pages_.insert(page);
    }
    // As while the IOMMU is detected.
    void learn() {
        std::vector<std::pair<u64, u64>> ranges;
        for (const Range& range : ram)
            ranges.emplace_back(range.start, range.end - range.start);
        const std::string bytes = vtd::core_header(ranges);
        memory_.write(header, bytes.data(), bytes.size());
        memory_.slab = false;
        EXPECT_EQ(takeover_oldmem_learn(header), 0);
        EXPECT_EQ(memory_.mapped, 1 + ram.size());
        EXPECT_TRUE(memory_.live.empty()) << "WARY: something stays mapped early";
        memory_.slab = true;
    }
    static int read(u64 at, std::size_t size = page_size) {
        std::array<u64, 512> words{};
        const int ret = vtd_read_oldmem(words.data(), at, size);
        if (!ret)
            for (std::size_t n = 0; n < size / sizeof(u64); n++)
                if (words[n] != at + n * sizeof(u64)) {
                    ADD_FAILURE() << "WARY: " << std::hex << words[n] << " is read in place of "
                                  << at + n * sizeof(u64);
                    break;
                }
        return ret;
    }
    std::size_t open() const { return memory_.live.size(); }

    Memory memory_;
    std::set<u64> pages_;
};

TEST_F(Windows, EachAddressIsItselfWhateverWasReadBefore) {
    for (const u64 before : pages_)
        for (const u64 page : pages_) {
            takeover_close_windows();
            ASSERT_EQ(read(before), 0);
            ASSERT_EQ(read(page), 0);
            ASSERT_EQ(read(page + 0x800, 0x10), 0);
            ASSERT_EQ(read(page + page_size - 8, 8), 0);
            ASSERT_EQ(read(before), 0);
            if (HasFailure())
                FAIL() << std::hex << page << " after " << before;
        }
}

TEST_F(Windows, WhatIsFetchedAheadIsWhatIsRead) {
    for (const u64 before : pages_) {
        ASSERT_EQ(read(before), 0);
        for (const u64 page : pages_) {
            const void* const ahead = vtd_oldmem_ahead(page);
            if (!ahead)
                continue;
            ASSERT_TRUE(memory_.mapping(ahead, page_size)) << "WARY: ahead is nothing mapped";
            ASSERT_EQ(memory_.address(ahead), page) << "WARY: another page is fetched";
        }
    }
    EXPECT_TRUE(vtd_oldmem_ahead(same_place + 5 * gib));
    takeover_close_windows();
    for (const u64 page : pages_)
        EXPECT_FALSE(vtd_oldmem_ahead(page)) << "WARY: it is not mapped any more";
}

TEST_F(Windows, AGibibyteIsMappedOnce) {
    for (u64 at = 5 * gib; at < 6 * gib; at += 512 * page_size)
        ASSERT_EQ(vtd_read_oldmem(std::array<u64, 1>{}.data(), at, sizeof(u64)), 0);
    EXPECT_EQ(memory_.mapped, 1U);
    EXPECT_EQ(open(), 1U);
    ASSERT_EQ(read(4 * gib), 0);
    EXPECT_EQ(open(), 2U);
}

TEST_F(Windows, ThoseOfOnePlaceTakeTurns) {
    for (unsigned n = 0; n < 3; n++) {
        ASSERT_EQ(read(5 * gib), 0);
        ASSERT_EQ(read(same_place + 5 * gib), 0);
        EXPECT_EQ(open(), 1U);
    }
    EXPECT_EQ(memory_.mapped, 6U);
}

// Each time once more: nobody keeps a mapping of this kernel's memory.
TEST_F(Windows, WhatIsForbiddenIsMappedAlone) {
    for (unsigned n = 1; n < 4; n++) {
        ASSERT_EQ(read(gib + 0x5000), 0);
        EXPECT_EQ(memory_.mapped, n);
        EXPECT_EQ(open(), 0U);
    }
    // Half of it is.
    ASSERT_EQ(read(gib + 0x4ff8, 0x10), 0);
    EXPECT_EQ(open(), 0U);
}

TEST_F(Windows, AMappingThatFailsIsTriedAgain) {
    for (const bool slab : {true, false}) {
        memory_.slab = slab;
        // The window, and the page alone.
        for (unsigned failing = slab ? 2 : 1; failing; failing--) {
            memory_.failing = 1;
            const int ret = read(5 * gib);
            EXPECT_EQ(ret, slab ? 0 : -ENOMEM);
        }
        EXPECT_EQ(memory_.failing, 0U);
        EXPECT_EQ(read(5 * gib), 0);
        memory_.slab = true;
        takeover_close_windows();
    }
    memory_.failing = 2;
    EXPECT_EQ(read(gib + 0x5000), 0);
    EXPECT_EQ(read(gib + 0x5000), -ENOMEM);
    EXPECT_EQ(read(gib + 0x5000), 0);
}

TEST_F(Windows, WhatLiesInTwoIsMappedAlone) {
    for (const u64 border : {5 * gib, 6 * gib, gib + 0x5000, gib + 0x9000}) {
        ASSERT_EQ(read(border - page_size), 0);
        ASSERT_EQ(read(border), 0);
        const std::size_t before = open();
        ASSERT_EQ(read(border - 8, 0x10), 0);
        EXPECT_EQ(open(), before);
    }
}

// A window that could not be mapped leaves nothing of the one before in its place.
TEST_F(Windows, AWindowThatFailsIsNotTheOneBefore) {
    ASSERT_EQ(read(5 * gib), 0);
    memory_.failing = 1;
    ASSERT_EQ(read(same_place + 5 * gib), 0);
    EXPECT_EQ(open(), 0U);
    EXPECT_FALSE(vtd_oldmem_ahead(same_place + 5 * gib));
    ASSERT_EQ(read(5 * gib), 0);
    EXPECT_EQ(open(), 1U);
}

TEST_F(Windows, PoisonCostsAPage) {
    memory_.poison = {5 * gib, gib + 0x5000};
    for (const bool slab : {true, false}) {
        memory_.slab = slab;
        EXPECT_EQ(read(5 * gib), -EIO);
        EXPECT_EQ(read(5 * gib - page_size), 0);
        EXPECT_EQ(read(gib + 0x5000), -EIO);
        EXPECT_EQ(read(gib + 0x4000), 0);
        memory_.slab = true;
    }
}

} // namespace
