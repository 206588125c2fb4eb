// SPDX-License-Identifier: GPL-2.0-only
//
// See healthy.h.

#include "harness/healthy.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cassert>
#include <cstring>

namespace vtd {

namespace {

constexpr u64 kib = 1024, mib = kib * kib, gib = kib * mib, tib = kib * gib;
constexpr u64 page_size = 4 * kib;
constexpr unsigned words_of_page = 512;
constexpr u64 large = 0x80;
// Of the kdump kernel nothing is above the low 2 GiB but at the end of RAM: tables lie between.
constexpr u64 first_table = 4 * gib;
constexpr u64 kept_for_kdump = gib;

u64 size_at(unsigned level) { return page_size << (9 * (level - 1)); }

bool meets(const std::vector<Range>& ranges, u64 start, u64 end) {
    return std::ranges::any_of(
        ranges, [=](const Range& range) { return start < range.second && end > range.first; });
}
bool holds(const std::vector<Range>& ranges, u64 start, u64 end) {
    return std::ranges::any_of(
        ranges, [=](const Range& range) { return start >= range.first && end <= range.second; });
}

// 3.1: the tables of the unit, old and new, where the unit finds them.
class Memory final : public model::Source {
public:
    explicit Memory(std::function<const u64*(u64)> page) : page_(std::move(page)) {}
    std::optional<u64> word(model::Table, model::Hpa at) override {
        const u64* const words = page_(at.value & ~(page_size - 1));
        if (!words)
            return {};
        return words[at.value % page_size / sizeof(u64)];
    }

private:
    std::function<const u64*(u64)> page_;
};

} // namespace

u64 Layout::end() const { return ram.back().second; }

bool Layout::holds(u64 page) const {
    return meets(ram, page, page + page_size) || meets(windows, page, page + page_size);
}

Layout machine_of(u64 ram, unsigned address_bits, std::vector<Range> kdump) {
    constexpr u64 low = 2 * gib;
    const u64 end = 4 * gib + ram - low;
    Layout layout{.ram = {{0, 0x9f000}, {mib, low}, {4 * gib, end}},
                  .windows = {{low, 0xfec00000}},
                  .kdump = std::move(kdump)};
    for (Range& range : layout.kdump)
        if (range.first >= low) { // counted from the end of RAM
            range.first = end - range.second;
            range.second = end;
        }
    // Above RAM, and as far up as addresses go: each socket of a large server has some terabytes.
    const u64 top = u64{1} << address_bits;
    for (const u64 at : {end + gib, top / 4, top / 2, top - top / 16})
        if (at >= end && at + gib <= top)
            layout.windows.emplace_back(at, std::min(top, at + std::min(tib, top / 64)));
    return layout;
}

const char* name(Mapping mapping) {
    constexpr std::array names{"few pages", "pass-through", "a guest by 2 MiB", "a guest by 1 GiB",
                               "a terabyte of pages"};
    return names[static_cast<std::size_t>(mapping)];
}

const char* name(Tables tables) {
    constexpr std::array names{"legacy", "scalable, second stage", "scalable, first stage"};
    return names[static_cast<std::size_t>(tables)];
}

bool Healthy::is_possible(const RealUnit& unit, Tables tables, Mapping mapping) {
    const model::Capabilities& can = unit.capabilities;
    const bool first = tables == Tables::first_stage;
    if (tables != Tables::legacy && !can.scalable())
        return false;
    if (first ? !can.first_stage() : tables == Tables::second_stage && !can.second_stage())
        return false;
    if (mapping == Mapping::guest_2m)
        return first || can.large_second(2);
    if (mapping == Mapping::guest_1g)
        return first ? can.first_1g() : can.large_second(3);
    return true;
}

Healthy::Healthy(Machine& machine, const RealUnit& unit, const Layout& layout, Tables tables)
    : machine_(machine), unit_(unit), layout_(layout), tables_(tables), levels_(4), root_(0),
      next_(first_table) {
    const model::Capabilities& can = unit.capabilities;
    // Linux has the widest stage that there is, a first one no wider than a second one may be.
    if (tables == Tables::first_stage)
        levels_ = can.first_5_levels() && can.walks(3) ? 5 : 4;
    else
        levels_ = can.walks(3) ? 5 : can.walks(2) ? 4 : 3;
    root_ = page();
    machine.synthesize = [this](Phys at, std::span<u64> words) { return make(at.value, words); };
}

Healthy::~Healthy() {
    machine_.synthesize = [](Phys, std::span<u64>) { return false; };
}

u64 Healthy::page() {
    std::ranges::fill(machine_.old_page({next_}), 0); // perhaps another unit's before
    next_ += page_size;
    return next_ - page_size;
}

u64 Healthy::region(u64 pages, std::function<void(u64, std::span<u64>)> fill) {
    const u64 first = next_;
    regions_.push_back({first, pages, std::move(fill)});
    next_ += pages * page_size;
    return first;
}

bool Healthy::make(u64 at, std::span<u64> words) const {
    for (const Region& region : regions_)
        if (at >= region.first && at - region.first < region.pages * page_size) {
            region.fill((at - region.first) / page_size, words);
            return true;
        }
    return false;
}

u64* Healthy::words(u64 at) { return machine_.old_page({at}).data(); }

// 9.8, 9.7: R and W of a second stage; P, R/W, U/S, A and D of a first one, and XD as 6.1 has it.
u64 Healthy::rights() const { return tables_ == Tables::first_stage ? u64{1} << 63 | 0x67 : 3; }

bool Healthy::has_pages(unsigned level) const {
    const model::Capabilities& can = unit_.capabilities;
    if (tables_ == Tables::first_stage)
        return level < 3 || (level == 3 && can.first_1g());
    return level == 1 || can.large_second(level);
}

u64 Healthy::above(u64 table, unsigned level) {
    for (; level < levels_; level++) {
        const u64 next = page();
        words(next)[0] = table | rights();
        table = next;
    }
    return table;
}

// Allocated from the top of the first 4 GiB down, as drivers get them.
u64 Healthy::few() {
    const u64 last = page(), two = page(), three = page();
    for (unsigned n = 0; n < 20; n++)
        words(last)[511 - n] = target(n * 977, page_size) | rights();
    words(two)[511] = last | rights();
    words(three)[3] = two | rights();
    return above(three, 3);
}

// All RAM means itself, the kdump kernel's too, by the largest pages that there are.
u64 Healthy::identity() {
    const u64 end = std::bit_ceil(layout_.end());
    std::array<u64, 6> first{};
    const unsigned top = std::min(levels_, 4U);
    for (unsigned level = 1; level <= top; level++) {
        const u64 below = level > 1 ? first.at(level - 1) : 0;
        const auto fill = [=, this](u64 number, std::span<u64> words) {
            const u64 size = size_at(level);
            for (u64 i = 0; i < words_of_page; i++) {
                const u64 chunk = number * words_of_page + i, start = chunk * size;
                if (!meets(layout_.ram, start, start + size))
                    words[i] = 0;
                else if (has_pages(level) && holds(layout_.ram, start, start + size))
                    words[i] = start | rights() | (level > 1 ? large : 0);
                else
                    words[i] = level > 1 ? (below + chunk * page_size) | rights() : 0;
            }
        };
        const u64 covered = size_at(level) * words_of_page;
        first.at(level) = region(std::max<u64>(1, (end + covered - 1) / covered), fill);
    }
    return above(first.at(top), top);
}

// Some RAM that is not the kdump kernel's, and no table.
u64 Healthy::target(u64 number, u64 size) const {
    const u64 begin = layout_.ram.back().first + gib;
    if (layout_.end() < begin + 2 * kept_for_kdump) // little RAM, and no large pages
        return 16 * mib + number * 0x9e3779b1 % (128 * mib / size) * size;
    const u64 chunks = std::bit_floor((layout_.end() - kept_for_kdump - begin) / size);
    return begin + (number * 0x9e3779b97f4bULL & (chunks - 1)) * size;
}

u64 Healthy::guest(unsigned level) {
    const u64 pages = 512 * gib / size_at(level);
    const u64 first = region(pages / words_of_page + !(pages / words_of_page),
                             [=, this](u64 number, std::span<u64> words) {
                                 for (u64 i = 0; i < words_of_page; i++)
                                     words[i] = target(number * words_of_page + i, size_at(level)) |
                                                rights() | large;
                             });
    if (level == 3)
        return above(first, 3);
    const u64 three = page();
    for (u64 i = 0; i < words_of_page; i++)
        words(three)[i] = (first + i * page_size) | rights();
    return above(three, 3);
}

// Of as much as the unit has addresses for.
u64 Healthy::scattered() {
    const u64 bytes = std::min(tib, size_at(levels_ + 1));
    const u64 leaves = bytes / (2 * mib);
    const auto point_to = [this](u64 first) {
        return [=, this](u64 number, std::span<u64> words) {
            for (u64 i = 0; i < words_of_page; i++)
                words[i] = (first + (number * words_of_page + i) * page_size) | rights();
        };
    };
    const u64 one = region(leaves, [this](u64 number, std::span<u64> words) {
        for (u64 i = 0; i < words_of_page; i++)
            words[i] = target(number * words_of_page + i, page_size) | rights();
    });
    const u64 two = region(leaves / words_of_page, point_to(one));
    const u64 thirds = leaves / words_of_page / words_of_page;
    const u64 three = region(thirds, point_to(two));
    if (levels_ == 3)
        return three;
    const u64 four = page();
    for (u64 i = 0; i < thirds; i++)
        words(four)[i] = (three + i * page_size) | rights();
    return above(four, 4);
}

u64 Healthy::table_of(Mapping mapping) {
    switch (mapping) {
    case Mapping::few:
        return few();
    case Mapping::pass_through:
        if (!shared_)
            shared_ = identity();
        return shared_;
    case Mapping::guest_2m:
        return guest(2);
    case Mapping::guest_1g:
        return guest(3);
    case Mapping::scattered:
        return scattered();
    }
    return 0;
}

void Healthy::map_to_itself(u64 top, const Range& reserved) {
    for (u64 at = reserved.first & ~(page_size - 1); at < reserved.second; at += page_size) {
        u64 table = top;
        for (unsigned level = levels_; level > 1; level--) {
            u64& word = words(table)[at / size_at(level) % words_of_page];
            if (!word)
                word = page() | rights();
            table = word & ((u64{1} << 52) - page_size);
        }
        words(table)[at / page_size % words_of_page] = at | rights();
    }
}

void Healthy::add(Rid rid, Mapping mapping, const std::vector<Range>& reserved) {
    const bool scalable = tables_ != Tables::legacy;
    const bool passes = mapping == Mapping::pass_through && unit_.capabilities.pass_through();
    const bool first_identity = mapping == Mapping::pass_through && !passes && !shared_;
    const u64 top = passes ? 0 : table_of(mapping);
    if (mapping == Mapping::few)
        for (const Range& range : reserved)
            map_to_itself(top, range);
    // Linux's pass-through has one id for all, in both modes, and its identity tables an ordinary
    // one.
    if (first_identity)
        shared_did_ = next_did_++;
    const u16 did = passes ? 1 : mapping == Mapping::pass_through ? shared_did_ : next_did_++;
    const unsigned half = scalable && rid.value & 0x80;
    u64& root_word = words(root_)[rid.value / 256 * 2 + half];
    if (!root_word)
        root_word = page() | 1;
    const std::size_t entry_words = scalable ? 4 : 2;
    u64* const entry =
        words(root_word & ~u64{1}) + (rid.value & (scalable ? 0x7f : 0xff)) * entry_words;
    if (!scalable) {
        entry[1] = u64{did} << 8 | (levels_ - 2);
        entry[0] = top | (passes ? 2 << 2 : 0) | 1;
        return;
    }
    const u64 directory = page(), pasids = page();
    words(directory)[0] = pasids | 1;
    u64* const pasid = words(pasids);
    const bool first = tables_ == Tables::first_stage;
    const u64 type = passes ? 4 : first ? 1 : 2;
    pasid[1] = did;
    // 9.6: five levels by FSPM; a user's requests, as all are that have no PASID.
    pasid[2] = first && !passes ? top | u64{levels_ == 5} << 2 : 0;
    pasid[0] = type << 6 | (first ? 0 : u64{levels_ - 2} << 2 | top) | 1;
    entry[0] = directory | 1;
}

u64 Healthy::rtaddr() const { return root_ | (tables_ == Tables::legacy ? 0 : u64{1} << 10); }

std::vector<u64> Healthy::samples(Mapping mapping) const {
    std::vector<u64> all;
    switch (mapping) {
    case Mapping::few:
        for (u64 n = 0; n < 24; n++)
            all.push_back(4 * gib - (n + 1) * page_size);
        all.push_back(0);
        break;
    case Mapping::pass_through:
        for (const auto* ranges : {&layout_.ram, &layout_.windows, &layout_.kdump})
            for (const auto& [start, end] : *ranges)
                for (const u64 at : {start - page_size, start, start + page_size, (start + end) / 2,
                                     end - page_size, end, end + page_size})
                    if (const u64 page = at & ~(page_size - 1); layout_.holds(page))
                        all.push_back(page); // beside it there may be nothing to reach
        break;
    default:
        for (u64 n = 0; n < 300; n++)
            all.push_back(n * 0x9e3779b97f4aULL % (512 * gib) & ~(page_size - 1));
    }
    return all;
}

std::optional<u64> Healthy::walk(u64 rtaddr, Rid rid, u64 iova, model::Access access) {
    std::vector<std::unique_ptr<std::array<u64, words_of_page>>> made;
    Memory memory([&](u64 at) -> const u64* {
        if (const auto words = machine_.peek_old({at}); !words.empty())
            return words.data();
        auto page = std::make_unique<std::array<u64, words_of_page>>();
        if (make(at, *page)) {
            made.push_back(std::move(page));
            return made.back()->data();
        }
        return machine_.our_page(at);
    });
    // Our tables lie in this process, beyond what the machine has.
    model::Capabilities can = unit_.capabilities;
    can.host_width = 52;
    const model::Outcome outcome =
        translate({can, rtaddr}, {.rid = {rid.value}, .iova = {iova}, .access = access}, memory);
    const auto* found = std::get_if<model::Translation>(&outcome);
    if (!found)
        return {};
    return found->address.value + (iova & ((u64{1} << found->page_bits) - 1));
}

std::optional<u64> Healthy::before(Rid rid, u64 iova, model::Access access) {
    return walk(rtaddr(), rid, iova, access);
}

std::optional<u64> Healthy::now(Rid rid, u64 iova, model::Access access) {
    const u64 root = reinterpret_cast<u64>(machine_.unit.root);
    return walk(root | (machine_.unit.scalable ? u64{1} << 10 : 0), rid, iova, access);
}

} // namespace vtd
