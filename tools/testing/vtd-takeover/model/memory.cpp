// SPDX-License-Identifier: GPL-2.0-only
//
// See memory.h.

#include "model/memory.h"

#include <algorithm>
#include <cassert>
#include <cstddef>
#include <utility>

namespace vtd::model {

namespace {

constexpr u64 line_size = 64;
constexpr std::size_t changes_kept = 4096;

Hpa page_of(Hpa at) { return {at.value & ~(page_size - 1)}; }
std::size_t index_in(Hpa base, Hpa at) { return (at.value - base.value) / sizeof(u64); }

} // namespace

void in_order(std::vector<Hpa>& words) {
    std::ranges::sort(words);
    words.erase(std::unique(words.begin(), words.end()), words.end());
}

void Memory::add(Hpa first, u64 size, Owner owner) {
    ranges_.emplace(first, Range{size, owner, {}});
    all_changed_ = true;
}

void Memory::attach(Hpa first, std::span<u64> words, Owner owner) {
    ranges_.emplace(first, Range{words.size_bytes(), owner, words});
    all_changed_ = true;
}

void Memory::pass(Hpa first, Owner owner) {
    const auto found = ranges_.find(first);
    assert(found != ranges_.end());
    found->second.owner = owner;
}

const std::pair<const Hpa, Memory::Range>* Memory::range(Hpa at) const {
    auto found = ranges_.upper_bound(at);
    if (found == ranges_.begin())
        return nullptr;
    --found;
    return at.value - found->first.value < found->second.size ? &*found : nullptr;
}

Owner Memory::owner(Hpa at) const {
    const auto* found = range(at);
    return found ? found->second.owner : Owner::nobody;
}

const u64* Memory::word(Hpa at) const {
    assert(at.value % sizeof(u64) == 0);
    const auto* found = range(at);
    if (!found)
        return nullptr;
    if (!found->second.words.empty())
        return &found->second.words[index_in(found->first, at)];
    static constexpr u64 zero = 0;
    const auto page = pages_.find(page_of(at));
    return page == pages_.end() ? &zero : &page->second[index_in(page_of(at), at)];
}

u64 Memory::load(Hpa at) const {
    const u64* found = word(at);
    return found ? *found : 0;
}

void Memory::store(Hpa at, u64 value) {
    stored(at, load(at));
    put(at, value);
}

bool Memory::store(Hpa at, u64 value, Writer writer) {
    if (!range(at))
        return false;
    by_hardware_.push_back({writer, at, load(at), value});
    put(at, value);
    return true;
}

bool Memory::store_half(Hpa at, u32 value, Writer writer) {
    const Hpa word_at{at.value & ~u64{7}};
    const unsigned shift = at.value & 4 ? 32 : 0;
    if (!range(word_at))
        return false;
    return store(word_at, (load(word_at) & ~(u64{~0U} << shift)) | u64{value} << shift, writer);
}

void Memory::changed(Hpa at) {
    if (all_changed_)
        return;
    changed_.push_back(at);
    all_changed_ = changed_.size() > changes_kept;
}

std::optional<std::vector<Hpa>> Memory::changes() {
    std::vector<Hpa> words = std::exchange(changed_, {});
    if (std::exchange(all_changed_, false))
        return {};
    in_order(words);
    return words;
}

void Memory::put(Hpa at, u64 value) {
    const auto* found = range(at);
    assert(found);
    changed(at);
    if (!found->second.words.empty()) {
        found->second.words[index_in(found->first, at)] = value;
        return;
    }
    auto& page = pages_[page_of(at)];
    if (!page)
        page = std::make_unique<u64[]>(page_size / sizeof(u64));
    page[index_in(page_of(at), at)] = value;
}

void Memory::stored(Hpa at, u64 before) {
    changed(at);
    Older& older = older_[at];
    if (older.in_buffer.empty())
        buffered_.push_back(at);
    for (auto* values : {&older.in_cache, &older.in_buffer})
        if (std::ranges::find(*values, before) == values->end())
            values->push_back(before);
}

Memory::OlderWords::iterator Memory::forget(std::vector<u64> Older::*which,
                                            OlderWords::iterator at) {
    Older& older = at->second;
    if (!(older.*which).empty())
        changed(at->first);
    (older.*which).clear();
    return older.in_cache.empty() && older.in_buffer.empty() ? older_.erase(at) : std::next(at);
}

void Memory::flush(Hpa first, u64 size) {
    const u64 start = first.value & ~(line_size - 1);
    const u64 end = (first.value + size + line_size - 1) & ~(line_size - 1);
    for (auto at = older_.lower_bound({start}); at != older_.end() && at->first.value < end;)
        at = forget(&Older::in_cache, at);
}

void Memory::drain() {
    for (const Hpa word : buffered_)
        forget(&Older::in_buffer, older_.find(word));
    buffered_.clear();
}

void Memory::poison(Hpa first, u64 size) {
    for (Hpa at{first.value & ~u64{7}}; at < first + size; at = at + sizeof(u64)) {
        poisoned_.insert(at);
        changed(at);
    }
}

bool Memory::is_poisoned(Hpa first, u64 size) const {
    const auto next = poisoned_.lower_bound({first.value & ~u64{7}});
    return next != poisoned_.end() && *next < first + size;
}

std::vector<u64> Memory::seen(Hpa at, const Capabilities& unit) const {
    std::vector<u64> values;
    seen(at, unit, values);
    return values;
}

void Memory::seen(Hpa at, const Capabilities& unit, std::vector<u64>& values) const {
    values.clear();
    const u64* now = word(at);
    if (!now || poisoned_.contains(at))
        return;
    values.push_back(*now);
    const auto older = older_.find(at);
    if (older == older_.end())
        return;
    const auto add = [&](const std::vector<u64>& more) {
        for (const u64 value : more)
            if (std::ranges::find(values, value) == values.end())
                values.push_back(value);
    };
    if (!unit.coherent())
        add(older->second.in_cache);
    if (unit.write_buffer())
        add(older->second.in_buffer);
}

} // namespace vtd::model
