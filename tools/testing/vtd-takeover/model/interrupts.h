// SPDX-License-Identifier: GPL-2.0-only
//
// Chapter 5: interrupt remapping. What becomes of an interrupt that a device sends: it is passed
// on as it is, remapped to a vector and a destination, posted to a descriptor in memory, or
// blocked. As with DMA (explore.h), all that may become of it is found: what a unit may still have
// cached, and each value that it might see of a word.
//
// The model ends where the interrupt gets to the local APICs. Destinations in the logical mode of
// xAPIC, broadcasts and lowest priority are theirs.

#pragma once

#include <array>
#include <set>
#include <variant>
#include <vector>

#include "model/caches.h"
#include "model/faults.h"
#include "model/memory.h"
#include "model/registers.h"

namespace vtd::model {

// 5.1.2: a write of four bytes below the interrupt range.
struct InterruptRequest {
    Rid rid;
    u32 address{};
    u32 data{};

    // In remappable format, for an entry of the table; as a device with several vectors sends it,
    // `sub` is added by the unit.
    static InterruptRequest remappable(Rid rid, IrteIndex index);
    static InterruptRequest remappable(Rid rid, IrteIndex index, u16 sub);
    // As without remapping: vector and destination of xAPIC mode.
    static InterruptRequest compatible(Rid rid, u8 destination, u8 vector);

    auto operator<=>(const InterruptRequest&) const = default;
};

struct RemappedInterrupt {
    u32 destination{};
    u8 vector{};
    irte::Delivery delivery{};
    bool logical{}, level{}, redirection{};
    auto operator<=>(const RemappedInterrupt&) const = default;
};

struct PostedInterrupt {
    Hpa descriptor;
    u8 vector{};
    bool urgent{};
    auto operator<=>(const PostedInterrupt&) const = default;
};

struct PassedInterrupt {
    u32 address{}, data{};
    auto operator<=>(const PassedInterrupt&) const = default;
};

struct InterruptFault {
    Reason reason{};
    bool recorded = true;
    IrteIndex index{}; // zero where the request had none
    auto operator<=>(const InterruptFault&) const = default;
};

using InterruptOutcome =
    std::variant<RemappedInterrupt, PostedInterrupt, PassedInterrupt, InterruptFault>;

// 11.4.4: what the enable bits say, or may say while a command is not complete.
struct InterruptMode {
    bool remaps = false;
    bool compatible = false; // CFIS
    auto operator<=>(const InterruptMode&) const = default;
};

struct InterruptMoment {
    const Capabilities& capabilities;
    std::set<InterruptMode> modes;
    std::set<u64> tables; // values of IRTA
    const Memory& memory;
    Caches& caches;
};

struct ExploredInterrupt {
    std::set<InterruptOutcome> outcomes;
    std::vector<Hpa> read; // every word of memory that mattered, in order
};

ExploredInterrupt explore(InterruptMoment& moment, const InterruptRequest& request);

// 5.2: the unit posts. What the processor is told, if it is.
struct Notification {
    u32 destination{};
    u8 vector{};
    auto operator<=>(const Notification&) const = default;
};
std::optional<Notification> post(Memory& memory, const PostedInterrupt& interrupt, bool x2apic);

} // namespace vtd::model
