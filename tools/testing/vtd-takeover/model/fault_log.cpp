// SPDX-License-Identifier: GPL-2.0-only
//
// See fault_log.h.

#include "model/fault_log.h"

#include <algorithm>

namespace vtd::model {

namespace {

constexpr u32 write_1_to_clear =
    fault_status::pfo | fault_status::iqe | fault_status::ice | fault_status::ite;
constexpr u64 in_use = fault_record::f.mask();

} // namespace

// PPF is not stored: it is there as long as a record is in use (11.4, FSTS_REG).
u32 FaultLog::status() const {
    u32 found = errors_;
    if (std::ranges::any_of(records_, [](const auto& record) { return record.high & in_use; }))
        found |= fault_status::ppf | static_cast<u32>(fault_status::fri.make(first_));
    return found;
}

void FaultLog::report(FaultRecord record) {
    record.high |= in_use;
    FaultRecord& here = records_[next_];
    const bool lost = has(fault_status::pfo) || (here.high & in_use);
    reported.push_back({record, lost});
    if (lost) {
        fail(fault_status::pfo);
        return;
    }
    const u32 before = status();
    if (!(before & fault_status::ppf))
        first_ = next_;
    here = record;
    next_ = (next_ + 1) % records_.size();
    if (!before)
        event.raise();
}

// 7.3: one message for all conditions that software has not dealt with.
void FaultLog::fail(u32 status_bits) {
    const bool told = status() != 0;
    errors_ |= status_bits;
    if (!told)
        event.raise();
}

void FaultLog::clear_status(u32 bits) {
    errors_ &= ~(bits & write_1_to_clear);
    settle();
}

void FaultLog::clear_record(std::size_t index) {
    records_[index].high &= ~in_use;
    settle();
}

void FaultLog::settle() {
    if (!status())
        event.withdraw();
}

} // namespace vtd::model
