// SPDX-License-Identifier: GPL-2.0-only
//
// The commands of vtd-inspect: what each finds, as JSON. Addresses and words are strings in
// hexadecimal, which survive readers that keep numbers as floating point. text.cpp prints the same
// for people.

#pragma once

#include <nlohmann/json.hpp>

#include "fields.h"
#include "tables.h"

namespace vtd::inspect {

using Json = nlohmann::ordered_json;

// [SEGMENT:]BUS:DEVICE.FUNCTION
struct Bdf {
    unsigned segment{};
    Rid rid;
};
Bdf parse_bdf(const std::string& text);

// The unit of a segment, or of that name where there are several.
const UnitState& unit_of(const Dump& dump, std::optional<unsigned> segment,
                         const std::string& name);

Json units(const Dump& dump);
Json devices(const Dump& dump);

struct MapOptions {
    std::optional<Pasid> pasid;
    u64 limit = 100'000; // ranges; 0: all
};
Json map(const Dump& dump, const UnitState& unit, Rid rid, const MapOptions& options);

struct TranslateOptions {
    Access access = Access::read;
    std::optional<Pasid> pasid;
    bool privileged = false;
};
Json translate(const Dump& dump, const UnitState& unit, Rid rid, Iova iova,
               const TranslateOptions& options);

struct CheckOptions {
    std::vector<Range> ranges;
    u64 limit = 100; // findings of one device; 0: all
};
Json check(const Dump& dump, const CheckOptions& options);

Json interrupts(const Dump& dump, const UnitState& unit);

// Pages that differ, and what of these is in tables that the units read.
Json diff(const Dump& before, const Ram& after, const std::vector<Range>& where);

// One structure: rtaddr, irta, root, context, pasid (of a device), irte (by index).
struct EntryOptions {
    std::string what, which;
    std::string words;             // in place of what is there
    std::vector<std::string> sets; // FIELD=VALUE
    std::optional<Pasid> pasid;
};
Json entry(const Dump& dump, const UnitState& unit, const EntryOptions& options);

} // namespace vtd::inspect
