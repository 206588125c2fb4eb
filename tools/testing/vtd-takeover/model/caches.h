// SPDX-License-Identifier: GPL-2.0-only
//
// Chapter 6: caches as sets of what hardware may hold. A line joins as soon as some walk could
// have fetched it, and leaves only by an invalidation that has to remove it. So nothing is said of
// sizes, replacement or time: whatever a real cache holds at a moment is among these lines, and a
// property of all lines holds for every schedule of fills and evictions.

#pragma once

#include <set>

#include "model/translation.h"

namespace vtd::model {

// 6.2.1: what a line is known by. A domain id in legacy mode comes from the context entry.
struct ContextLine {
    Rid rid;
    Did did;
    ContextEntry entry;
    auto operator<=>(const ContextLine&) const = default;
};
struct PasidLine {
    Rid rid;
    Pasid pasid;
    Did did;
    PasidEntry entry;
    auto operator<=>(const PasidLine&) const = default;
};
// A pointer to a table of the level in `position`, good for addresses with this beginning.
struct WalkLine {
    Tag tag;
    Iova base;
    Position position;
    auto operator<=>(const WalkLine&) const = default;
};
struct PageLine {
    Tag tag;
    Iova base;
    Translation page;
    auto operator<=>(const PageLine&) const = default;
};
// 4.1: in the device, which asks before it uses it, and then no longer.
struct DeviceLine {
    Rid rid;
    std::optional<Pasid> pasid;
    Iova base;
    Translation page;
    auto operator<=>(const DeviceLine&) const = default;
};

// 6.1: an entry of the interrupt-remapping table.
struct InterruptLine {
    IrteIndex index;
    std::array<u64, 2> words{};
    auto operator<=>(const InterruptLine&) const = default;
};

class Caches {
public:
    bool operator==(const Caches&) const = default;

    std::set<ContextLine> contexts;
    std::set<PasidLine> pasids;
    std::set<WalkLine> walks;
    std::set<PageLine> pages;
    std::set<DeviceLine> devices;
    std::set<InterruptLine> interrupts;

    std::size_t size() const {
        return contexts.size() + pasids.size() + walks.size() + pages.size() + devices.size() +
               interrupts.size();
    }

    // 6.5.1.1, 6.5.2.1. Scalable mode has no domain id in a context entry, and does not look at
    // the one in the command.
    void forget_contexts();
    void forget_contexts(Did did, bool scalable);
    void forget_contexts(Did did, Rid rid, unsigned function_mask, bool scalable);
    // 6.5.2.2
    void forget_pasids();
    void forget_pasids(Did did);
    void forget_pasids(Did did, Pasid pasid);
    // 6.5.1.2, 6.5.2.3: pages, and what is kept of walks.
    void forget_pages();
    void forget_pages(Did did);
    void forget_pages(Did did, Iova first, unsigned order, bool leaves_only);
    // 6.5.2.4
    void forget_pages(Did did, Pasid pasid);
    void forget_pages(Did did, Pasid pasid, Iova first, unsigned order, bool leaves_only);
    // 6.5.2.5, 6.5.2.6: of requests without PASID, with this one, or with any. A size of 0 is all
    // there is.
    void forget_device(Rid rid);
    void forget_device(Rid rid, std::optional<Pasid> pasid, Iova first, u64 size);
    void forget_device_pasids(Rid rid, Iova first, u64 size);
    // 6.5.2.7: the low bits of the index that `order` counts do not matter.
    void forget_interrupts();
    void forget_interrupts(IrteIndex index, unsigned order);
};

} // namespace vtd::model
