// SPDX-License-Identifier: GPL-2.0-only
//
// See page_traffic.h.

#include "harness/page_traffic.h"

#include <algorithm>

#include <fmt/format.h>

#include "harness/world.h"

namespace vtd::harness {

namespace {

// A group is answered when its last one asks; a stop marker (PCIe, with PASID) asks for nothing.
bool waits(const PageRequest& request) {
    return request.last && (request.read || request.write || !request.pasid);
}

bool same_group(const PageRequest& request, const GroupResponse& response) {
    return request.rid == response.rid && request.pasid == response.pasid &&
           request.group == response.group;
}

std::string text(Rid rid, u16 group) {
    return fmt::format("{:02x}:{:02x}.{:x}, group {:#x},", rid.bus(), rid.devfn() >> 3,
                       rid.devfn() & 7, group);
}

} // namespace

void PageTraffic::ask(model::Unit& unit, const PageRequest& request, bool lingers) {
    asked_.push_back(request);
    if (lingers)
        unit.pages().receive(request);
    else
        unit.pages().accept(request);
}

void PageTraffic::changed(const Memory& memory) { stores_ = memory.by_hardware().size(); }

std::vector<PageRequest> PageTraffic::in_vain(const model::Unit& unit) const {
    std::vector<PageRequest> found;
    std::ranges::copy_if(unit.pages().outstanding(), std::back_inserter(found), waits);
    return found;
}

std::size_t PageTraffic::answers(const model::Unit& unit) {
    return static_cast<std::size_t>(
        std::ranges::count(unit.pages().responses, false, &GroupResponse::automatic));
}

void PageTraffic::judge_silence(const model::Unit& unit) const {
    if (messages(unit) != messages_)
        throw Violation(Invariant::closed, "the crashed kernel's handler is told of page requests");
}

void PageTraffic::judge(const model::Unit& unit, const Memory& memory) const {
    const PageRequests& pages = unit.pages();
    for (const PageRequest& request : in_vain(unit))
        throw Violation(Invariant::alive,
                        text(request.rid, request.group) + " waits for an answer in vain");
    for (const GroupResponse& response : pages.responses) {
        const auto group = [&](const PageRequest& request) {
            return waits(request) && same_group(request, response);
        };
        const auto alike = [&](const GroupResponse& other) {
            return other.rid == response.rid && other.pasid == response.pasid &&
                   other.group == response.group;
        };
        if (std::ranges::count_if(asked_, group) != std::ranges::count_if(pages.responses, alike))
            throw Violation(Invariant::access, text(response.rid, response.group) +
                                                   " gets an answer that it does not wait for");
        if (!response.automatic && response.code != Response::invalid)
            throw Violation(Invariant::access, text(response.rid, response.group) +
                                                   " is told something else than invalid");
    }
    for (std::size_t n = 0; n < memory.by_hardware().size(); n++) {
        const HardwareStore& store = memory.by_hardware()[n];
        if (store.writer != Writer::page_request)
            continue;
        const auto in = [&](const std::pair<Hpa, u64>& queue) {
            return store.at >= queue.first && store.at.value - queue.first.value < queue.second;
        };
        if (n < stores_ ? std::ranges::none_of(queues_, in) : !in(queues_.back()))
            throw Violation(Invariant::shield,
                            fmt::format("a page request is written to {:#x}", store.at.value));
    }
}

} // namespace vtd::harness
