// SPDX-License-Identifier: GPL-2.0-only
//
// Chapter 3: what becomes of a request. One walk from the root table to the page, as hardware does
// it; where the walk gets its words from, memory or caches, is the caller's to say, and so whether
// it is one walk of a dump or all that a unit might do.

#pragma once

#include <array>
#include <optional>
#include <span>
#include <variant>
#include <vector>

#include "model/capabilities.h"
#include "model/faults.h"
#include "model/types.h"

namespace vtd::model {

enum class Access { read, write, atomic, zero_length_read };
// 2.3: the AT field; and page requests, which are no DMA but looked at alike (7.4).
enum class Kind { untranslated, translation_request, translated, page_request };

// 3.1
struct Request {
    Rid rid;
    Iova iova;
    Access access = Access::read;
    Kind kind = Kind::untranslated;
    std::optional<Pasid> pasid{};
    bool privileged = false; // PR
    auto operator<=>(const Request&) const = default;
};

// Where an untranslated request gets to: a page around it, and what else may be done with that.
struct Translation {
    Hpa address;
    unsigned page_bits = model::page_bits;
    bool read{}, write{};
    Did did{};
    bool pass_through{};
    auto operator<=>(const Translation&) const = default;
};

using Outcome = std::variant<Translation, Fault>;

// 11.4.5 and the capabilities: what a unit looks at before it looks at memory.
struct Hardware {
    Capabilities capabilities;
    u64 rtaddr{};
};

enum class Table { root, context, pasid_directory, pasid_table, first_stage, second_stage };

// 3.4.2, 3.4.3: what a context entry says, as the rest of the walk needs it.
struct ContextEntry {
    std::array<u64, 4> words{};
    auto operator<=>(const ContextEntry&) const = default;
};
struct PasidEntry {
    std::array<u64, 8> words{};
    auto operator<=>(const PasidEntry&) const = default;
};

// A position in a walk of page tables: the table that is looked at next, and with what rights.
struct Position {
    Hpa table;
    unsigned level{};
    bool read = true, write = true, user = true;
    auto operator<=>(const Position&) const = default;
};

// Tags of what is kept of page-table walks (6.2.1): of requests without PASID in legacy mode, and
// of second stages, the domain id alone.
struct Tag {
    Did did;
    std::optional<Pasid> pasid;
    Table stage = Table::second_stage;
    auto operator<=>(const Tag&) const = default;
};

// What a walk reads. The functions that look into caches answer nothing unless overridden.
class Source {
public:
    virtual ~Source() = default;

    // A word of memory as the unit sees it; nothing where there is no memory.
    virtual std::optional<u64> word(Table table, Hpa at) = 0;

    // 6.2: a cache may answer. If it does not, what was fetched is offered to it.
    virtual std::optional<ContextEntry> cached(Rid) { return {}; }
    virtual std::optional<PasidEntry> cached(Rid, Pasid) { return {}; }
    virtual std::optional<Position> cached(const Tag&, Iova) { return {}; }
    virtual std::optional<Translation> cached_page(const Tag&, Iova) { return {}; }
    virtual void keep(Rid, Did, const ContextEntry&) {}
    virtual void keep(Rid, Pasid, Did, const PasidEntry&) {}
    virtual void keep(const Tag&, Iova, const Position&) {}
    virtual void keep_page(const Tag&, Iova, const Translation&) {}

    // 3.6.2, 3.7.2: an entry that has been gone by gets these bits if it does not have them.
    virtual void mark(Hpa, u64) {}

    // Each step, for those who want to be told.
    virtual void step(Table, Hpa, std::span<const u64>) {}
};

// What a unit that translates does with a request.
Outcome translate(const Hardware& unit, const Request& request, Source& source);

} // namespace vtd::model
