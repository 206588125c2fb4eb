// SPDX-License-Identifier: GPL-2.0-only
//
// 7.3: an event that a unit tells software about by a message of its own, as faults,
// completed waits and page requests are. Such a message is not remapped. Which conditions raise
// the event is said where they arise.

#pragma once

#include <vector>

#include "model/registers.h"

namespace vtd::model {

// What an event writes, and where.
struct Message {
    u64 address{};
    u32 data{};
    auto operator<=>(const Message&) const = default;
};

class Event {
public:
    // Offsets from the control register.
    static constexpr unsigned control = 0, data = 4, address = 8, upper = 12, size = 16;

    u32 read(unsigned at) const;
    void write(unsigned at, u32 value);

    // A condition has come about.
    void raise();
    // Software has dealt with all of them before the message could be sent.
    void withdraw() { pending_ = false; }

    bool masked() const { return masked_; }
    bool pending() const { return pending_; }

    std::vector<Message> sent;

private:
    void send();

    bool masked_ = true, pending_ = false; // as after a reset
    u32 data_{}, address_{}, upper_{};
};

} // namespace vtd::model
