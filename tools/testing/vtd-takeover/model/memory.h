// SPDX-License-Identifier: GPL-2.0-only
//
// Physical memory: who owns a page, and what a unit sees of a word that software has written.
//
// A store reaches a unit that does not snoop (ECAP.C) when the line is written back, at the latest
// when software flushes it, and with CAP.RWBF when the write buffer is drained (6.8). Until then
// the unit may see any of the values since: a word has a set of them.

#pragma once

#include <map>
#include <memory>
#include <optional>
#include <set>
#include <span>
#include <vector>

#include "model/capabilities.h"
#include "model/types.h"

namespace vtd::model {

enum class Owner { nobody, old_kernel, crash_kernel, firmware };

// What a unit writes by itself. Software's invariants do not speak of these.
enum class Writer { wait_status, page_request, posted_interrupt, mark };
struct HardwareStore {
    Writer writer;
    Hpa at; // the word
    u64 before, after;
    auto operator<=>(const HardwareStore&) const = default;
};

// Words that were looked at: in order, once each.
void in_order(std::vector<Hpa>& words);

class Memory {
public:
    // RAM, all zero. Pages are made when they are first written.
    void add(Hpa first, u64 size, Owner owner);
    // RAM whose words lie elsewhere: the memory of code under test.
    void attach(Hpa first, std::span<u64> words, Owner owner);

    // What began there is somebody else's from now on.
    void pass(Hpa first, Owner owner);

    Owner owner(Hpa at) const; // nobody: there is no memory
    u64 load(Hpa at) const;    // as software sees it; zero where there is none
    void store(Hpa at, u64 value);
    // A unit's own store, of a word or its half, which no processor's cache and no write buffer
    // delays. False: there is no memory.
    bool store(Hpa at, u64 value, Writer writer);
    bool store_half(Hpa at, u32 value, Writer writer);
    const std::vector<HardwareStore>& by_hardware() const { return by_hardware_; }

    // Somebody stored to an attached word that held `before`.
    void stored(Hpa at, u64 before);

    // Words that cannot be read any more, neither by software nor by a unit.
    void poison(Hpa first, u64 size);
    bool is_poisoned(Hpa first, u64 size) const;

    void flush(Hpa first, u64 size); // CLFLUSH of these lines
    void drain();                    // the write buffer

    // All that a unit may see of a word; nothing where there is no memory, or poison. The value of
    // now is the first.
    std::vector<u64> seen(Hpa at, const Capabilities& unit) const;
    void seen(Hpa at, const Capabilities& unit, std::vector<u64>& values) const;

    // Words of which a unit may see something else than when this was called last, in order;
    // nothing: it may be all of them.
    std::optional<std::vector<Hpa>> changes();

private:
    struct Range {
        u64 size;
        Owner owner;
        std::span<u64> words;
    };
    struct Older {
        std::vector<u64> in_cache, in_buffer;
    };
    const std::pair<const Hpa, Range>* range(Hpa at) const;
    const u64* word(Hpa at) const;
    void put(Hpa at, u64 value);
    using OlderWords = std::map<Hpa, Older>;
    // Returns the next one.
    OlderWords::iterator forget(std::vector<u64> Older::*which, OlderWords::iterator at);
    void changed(Hpa at);

    std::map<Hpa, Range> ranges_;
    std::map<Hpa, std::unique_ptr<u64[]>> pages_;
    OlderWords older_;
    std::set<Hpa> poisoned_;
    std::vector<Hpa> buffered_; // words with something in the write buffer
    std::vector<HardwareStore> by_hardware_;
    std::vector<Hpa> changed_;
    bool all_changed_ = true;
};

} // namespace vtd::model
