// SPDX-License-Identifier: GPL-2.0-only
//
// Where QEMU is known not to do as the specification says, or does less. Each entry names the
// chapter and says exactly when it applies; what an entry does not cover is a mismatch.

#pragma once

#include <functional>
#include <span>
#include <string_view>
#include <vector>

#include "compare/machine.h"
#include "compare/tables.h"

namespace vtd::compare {

struct Step {
    Table table;
    Hpa at;
    std::vector<u64> words;
};

// The model's answer, and how it got there.
struct Expected {
    Outcome outcome{};
    Hpa where{~u64{0}}; // if translated
    std::vector<Step> steps{};
};

// QEMU's.
struct Seen {
    std::optional<Record> record;
    std::optional<Hpa> where;
};

struct Pair {
    const Capabilities& can;
    const Try& one;
    const Expected& expected;
    const Seen& seen;
    std::span<const u64> ram;
    bool cached; // an earlier request of the set got to this page

    std::optional<Reason> reason() const; // the model's fault
    bool silent() const;                  // and it is not recorded
    bool recorded(unsigned reason) const; // QEMU's
    bool silenced() const;                // by FPD in some entry on the way
    bool passed_through() const;
    const Step* last(Table table) const; // of that kind in the walk
};

struct Difference {
    std::vector<Mode> modes;
    unsigned since, before; // QEMU's major versions
    std::string_view chapter, what;
    std::function<bool(const Pair&)> when;

    bool applies(Mode mode, unsigned version) const;
};

std::span<const Difference> differences();
const Difference* explained(Mode mode, unsigned version, const Pair& pair);
const char* name(Table table);

} // namespace vtd::compare
