// SPDX-License-Identifier: GPL-2.0-only
//
// 3.6 to 3.8: walks of first-stage and second-stage page tables, and of one through the other.

#pragma once

#include "model/translation.h"

namespace vtd::model {

enum class Mode { legacy, scalable };

// What all walks of a request share.
struct Paging {
    const Capabilities& capabilities;
    Mode mode;
    Access access;
    Source& source;
};

struct SecondStage {
    Tag tag;
    Hpa top;
    unsigned levels;
    bool marks; // SSADE: it sets accessed and dirty bits
};

struct FirstStage {
    Tag tag;
    Hpa top; // of a nested pair: what the second stage translates
    unsigned levels;
    bool privileged;
    bool write_protect;
    std::optional<SecondStage> second;
};

// What one entry of a page table says, whatever led to it.
struct PageEntry {
    bool present{}, leaf{};
    Hpa address; // of the page or of the next table
    bool read{}, write{}, user{};
    bool reserved{}; // a reserved bit is set
};

PageEntry second_stage_entry(const Capabilities& capabilities, u64 entry, unsigned level);
PageEntry first_stage_entry(const Capabilities& capabilities, u64 entry, unsigned level);

// 3.4: what the entries before the page tables make of a request. Pass-through has no tables.
struct PassThrough {
    Did did;
};
using Destination = std::variant<PassThrough, SecondStage, FirstStage, Fault>;

Destination destination(const Hardware& unit, const Request& request, Source& source);

using Page = std::variant<Translation, Reason>;

Page second_stage_walk(const Paging& paging, const SecondStage& stage, Iova iova);
Page first_stage_walk(const Paging& paging, const FirstStage& stage, Iova iova);

} // namespace vtd::model
