// SPDX-License-Identifier: GPL-2.0-only
//
// 7.2 and 11.4, FSTS_REG and FRCD_REG: how a unit reports what went wrong: the fault status, the
// records of faults and the event. Faults that follow each other are not made one (7.2.1 lets
// hardware do that): each takes a record of its own.

#pragma once

#include <vector>

#include "model/events.h"
#include "model/faults.h"

namespace vtd::model {

// One record, as software reads it.
struct FaultRecord {
    u64 low{}, high{};
    auto operator<=>(const FaultRecord&) const = default;
};

// A fault that was to be recorded.
struct ReportedFault {
    FaultRecord record;
    bool lost{}; // there was no room for it
    auto operator<=>(const ReportedFault&) const = default;
};

class FaultLog {
public:
    explicit FaultLog(unsigned records) : records_(records) {}

    // 7.2.1: the next record in the ring; if that is in use, the fault is lost.
    void report(FaultRecord record);
    // 6.5.2.10: an error of the invalidation queue.
    void fail(u32 status);

    u32 status() const;
    void clear_status(u32 bits);
    bool has(u32 bits) const { return status() & bits; }
    const FaultRecord& record(std::size_t index) const { return records_[index]; }
    void clear_record(std::size_t index);

    Event event;                         // FECTL and what follows it
    std::vector<ReportedFault> reported; // all that there ever were

private:
    void settle();

    std::vector<FaultRecord> records_;
    std::size_t next_{}, first_{};
    u32 errors_{}; // PFO and those of the queue
};

} // namespace vtd::model
