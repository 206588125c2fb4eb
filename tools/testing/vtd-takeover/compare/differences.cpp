// SPDX-License-Identifier: GPL-2.0-only
//
// See differences.h.

#include "compare/differences.h"

#include <algorithm>

namespace vtd::compare {

std::optional<Reason> Pair::reason() const {
    const auto* fault = std::get_if<Fault>(&expected.outcome);
    return fault ? std::optional{fault->reason} : std::nullopt;
}

bool Pair::silent() const {
    const auto* fault = std::get_if<Fault>(&expected.outcome);
    return fault && !fault->recorded;
}

bool Pair::recorded(unsigned reason) const { return seen.record && seen.record->reason == reason; }

const Step* Pair::last(Table table) const {
    for (auto step = expected.steps.rbegin(); step != expected.steps.rend(); ++step)
        if (step->table == table)
            return &*step;
    return nullptr;
}

bool Pair::silenced() const {
    return std::ranges::any_of(expected.steps, [](const Step& step) {
        return step.table != Table::root && step.table != Table::first_stage &&
               step.table != Table::second_stage && fault_disable.of(step.words);
    });
}

bool Pair::passed_through() const {
    if (const Step* entry = last(Table::pasid_table))
        return pasid_entry::pgtt.of(entry->words) ==
               static_cast<u64>(pasid_entry::Pgtt::pass_through);
    const Step* entry = last(Table::context);
    return entry && entry->words.size() == context::words &&
           context::tt.of(entry->words) == static_cast<u64>(context::Tt::pass_through);
}

bool Difference::applies(Mode mode, unsigned version) const {
    return std::ranges::find(modes, mode) != modes.end() && version >= since && version < before;
}

namespace {

// The number that legacy mode has for the same thing; of PASID structures there is one for all.
std::optional<unsigned> legacy_number(Reason reason, bool read) {
    switch (reason) {
    case Reason::sm_root_not_present:
        return 0x1;
    case Reason::sm_context_not_present:
        return 0x2;
    case Reason::sm_context_invalid:
    case Reason::second_root_access:
        return 0x3;
    case Reason::sm_beyond_width:
    case Reason::second_beyond_width:
        return 0x4;
    case Reason::second_not_present:
        return read ? 0x6 : 0x5;
    case Reason::second_access:
        return 0x7;
    case Reason::sm_root_access:
        return 0x8;
    case Reason::sm_context_access:
        return 0x9;
    case Reason::sm_root_reserved:
        return 0xa;
    case Reason::sm_context_reserved:
        return 0xb;
    case Reason::second_reserved:
        return 0xc;
    case Reason::pasid_directory_access:
    case Reason::pasid_directory_not_present:
    case Reason::pasid_access:
    case Reason::pasid_not_present:
    case Reason::pasid_invalid:
        return 0x58;
    default:
        return {};
    }
}

using pasid_entry::Pgtt;

std::optional<Pgtt> type_of(const Pair& pair) {
    const Step* entry = pair.last(Table::pasid_table);
    if (!entry)
        return {};
    return static_cast<Pgtt>(pasid_entry::pgtt.of(entry->words));
}

bool width_supported(const Pair& pair) {
    const auto aw = static_cast<unsigned>(pasid_entry::aw.of(pair.last(Table::pasid_table)->words));
    return aw <= 3 && pair.can.walks(aw);
}

// 9.2: bits that have to be zero in the half of a root entry that is another's.
bool other_half_reserved(const Pair& pair) {
    const Step* root = pair.last(Table::root);
    if (!root)
        return false;
    const u64 other = pair.ram[(root->at.value ^ sizeof(u64)) / sizeof(u64)];
    return other & (root::reserved.mask() | ~u64{0} << pair.can.host_width);
}

} // namespace

std::span<const Difference> differences() {
    using enum Mode;
    constexpr unsigned ever = ~0U;
    static const std::vector<Difference> all{
        {{legacy, second, first},
         0,
         ever,
         "7.2.1",
         "a missing right that the IOTLB knows of is not reported",
         [](const Pair& pair) {
             const auto reason = pair.reason();
             const bool right = reason == Reason::no_write || reason == Reason::no_read ||
                                reason == Reason::second_not_present ||
                                reason == Reason::sm_no_write;
             return pair.cached && right && !pair.seen.record && !pair.seen.where;
         }},
        {{legacy, second, first},
         0,
         ever,
         "3.6",
         "what is passed through is not held against any width",
         [](const Pair& pair) {
             const auto reason = pair.reason();
             return pair.passed_through() && !pair.seen.record && !pair.seen.where &&
                    (reason == Reason::beyond_width || reason == Reason::sm_beyond_width);
         }},
        {{second, first},
         0,
         ever,
         "7.1.3",
         "faults of scalable mode have the numbers of legacy mode, those of PASID structures one",
         [](const Pair& pair) {
             const auto reason = pair.reason();
             const auto number = reason ? legacy_number(*reason, pair.one.read) : std::nullopt;
             return number && !pair.silent() && pair.recorded(*number) && !pair.seen.where;
         }},
        {{second, first},
         0,
         ever,
         "7.2.1",
         "faults of PASID structures are recorded, whatever FPD",
         [](const Pair& pair) {
             const auto reason = pair.reason();
             return pair.silent() && legacy_number(*reason, pair.one.read) == 0x58 &&
                    (pair.recorded(0x58) || pair.recorded(static_cast<unsigned>(*reason))) &&
                    !pair.seen.where;
         }},
        {{second, first},
         0,
         ever,
         "9.2",
         "reserved bits in either half of a root entry count",
         [](const Pair& pair) {
             return pair.recorded(0xa) && !pair.seen.where && other_half_reserved(pair);
         }},
        {{second, first},
         0,
         ever,
         "9.5",
         "reserved bits of PASID-directory entries do not count",
         [](const Pair& pair) { return pair.reason() == Reason::pasid_directory_reserved; }},
        {{second},
         0,
         ever,
         "9.8",
         "SNP is not reserved where snoop control is missing",
         [](const Pair& pair) {
             const Step* entry = pair.last(Table::second_stage);
             return pair.reason() == Reason::second_reserved && !pair.seen.record &&
                    second_stage::snp.of(entry->words) && !pair.can.snoop_control();
         }},
        {{second},
         0,
         10,
         "9.6",
         "first-stage entries are walked as second-stage ones",
         [](const Pair& pair) {
             return pair.reason() == Reason::pasid_invalid && !pair.can.first_stage() &&
                    type_of(pair) == Pgtt::first && !pair.recorded(0x58);
         }},
        {{second, first},
         0,
         10,
         "9.6",
         "AW of what is passed through is looked at",
         [](const Pair& pair) {
             return type_of(pair) == Pgtt::pass_through && !width_supported(pair) &&
                    (pair.recorded(0x58) || pair.recorded(0x5b)) && !pair.seen.where;
         }},
        {{second, first},
         10,
         ever,
         "9.6",
         "a PASID entry that is not present is looked at",
         [](const Pair& pair) {
             return pair.reason() == Reason::pasid_not_present && pair.recorded(0x5b) &&
                    !pair.seen.where;
         }},
        {{first},
         0,
         ever,
         "9.6",
         "the width of the second stage bounds addresses of the first one",
         [](const Pair& pair) {
             if (type_of(pair) != Pgtt::first)
                 return false;
             const Step* entry = pair.last(Table::pasid_table);
             const auto levels =
                 static_cast<unsigned>(pasid_entry::aw.of(entry->words)) + aw_levels;
             const u64 upper = pair.one.iova.value >> (level_shift(levels + 1) - 1);
             const bool refused = pair.recorded(0x80) || (pair.silenced() && !pair.seen.record);
             return levels < 4 && upper != 0 && refused && !pair.seen.where;
         }},
    };
    return all;
}

const Difference* explained(Mode mode, unsigned version, const Pair& pair) {
    for (const Difference& difference : differences())
        if (difference.applies(mode, version) && difference.when(pair))
            return &difference;
    return nullptr;
}

const char* name(Table table) {
    switch (table) {
    case Table::root:
        return "root entry";
    case Table::context:
        return "context entry";
    case Table::pasid_directory:
        return "PASID directory entry";
    case Table::pasid_table:
        return "PASID table entry";
    case Table::first_stage:
        return "first-stage entry";
    case Table::second_stage:
        return "second-stage entry";
    }
    return "";
}

} // namespace vtd::compare
