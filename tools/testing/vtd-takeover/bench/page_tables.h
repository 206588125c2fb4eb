// SPDX-License-Identifier: GPL-2.0-only
// Second-stage page tables of a crashed Linux, from 1 GiB to 1 TiB, for the guard to walk, with
// good leaves and a number of bad ones. What has to come of it is known: so a walk that does
// nothing is no fast one.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "guarded.h"

namespace bench {

struct Mapped {
    unsigned gib = 1;
    unsigned level = 1;     // of the leaves: of 4 KiB, 2 MiB, 1 GiB
    bool shuffled = false;  // tables lie all over the place, and not one after the other
    bool scattered = false; // what is mapped does

    [[nodiscard]] std::string name() const;
};

// At addresses of its own, where the process has nothing else: the crashed kernel's physical
// addresses are addresses of this process. One of these at a time.
class PageTables {
public:
    explicit PageTables(Mapped mapped);
    ~PageTables();
    PageTables(const PageTables&) = delete;
    PageTables& operator=(const PageTables&) = delete;

    // So many leaves, far from each other, lead to forbidden memory; all others are good.
    void spoil(std::size_t bad);
    [[nodiscard]] std::size_t leaves() const { return leaves_.size(); }
    // In the order in which a walk comes by.
    [[nodiscard]] const std::vector<const u64*>& tables() const { return tables_; }
    [[nodiscard]] bench_guarded guarded(unsigned devices = 1) const;
    // What is not as it has to be after a walk; nothing if all is.
    [[nodiscard]] std::string judge(const bench_walked& walked) const;

private:
    u64* page();
    u64 table(unsigned level);
    u64 target(std::size_t leaf) const;
    void write_ram_map();

    Mapped mapped_;
    std::size_t size_ = 0;
    std::vector<u64*> free_; // the next one last
    std::vector<const u64*> tables_;
    std::size_t leaves_left_ = 0;
    std::vector<u64*> leaves_;
    std::vector<std::size_t> spoiled_;
    u64 top_ = 0;
};

} // namespace bench
