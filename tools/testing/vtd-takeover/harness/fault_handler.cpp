// SPDX-License-Identifier: GPL-2.0-only
//
// See fault_handler.h.

#include "harness/fault_handler.h"

#include <cassert>

namespace vtd::harness {

FaultHandler::FaultHandler(World& world, std::size_t unit)
    : world_(world), unit_(*world.units[unit]) {
    unit_.hardware.write32(reg::fectl, 0);
}

void FaultHandler::refused(const Request& request) {
    std::optional<Fault> worst;
    for (const Outcome& outcome : unit_.hardware.explore(request).outcomes)
        if (const auto* fault = std::get_if<Fault>(&outcome); fault && (!worst || fault->recorded))
            worst = *fault;
    assert(worst);
    unit_.hardware.record(request, *worst);
    deliver();
}

void FaultHandler::refused(const InterruptRequest& request, const InterruptFault& fault) {
    unit_.hardware.record(request, fault);
    deliver();
}

// Messages that come while the handler runs are one interrupt, which calls it again.
void FaultHandler::deliver() {
    auto& sent = unit_.hardware.faults().event.sent;
    static bool running = false;
    if (running)
        return;
    running = true;
    try {
        while (!sent.empty()) {
            sent.clear();
            interrupts++;
            handle();
        }
    } catch (...) {
        running = false;
        throw;
    }
    running = false;
}

void FaultHandler::handle() {
    model::Unit& hardware = unit_.hardware;
    const unsigned base = hardware.capabilities().fault_register();
    const unsigned number = hardware.capabilities().fault_records();
    const u32 status = hardware.read32(reg::fsts);
    if (!(status & fault_status::ppf))
        return;

    auto index = static_cast<unsigned>(fault_status::fri.in(status));
    while (true) {
        const auto at = base + index * static_cast<unsigned>(fault_record::size);
        if (!fault_record::f.in(hardware.read64(at + sizeof(u64))))
            break;
        world_.lock(unit_.registers_busy);
        const bool leave = takeover_hear_fault(&unit_.core, at);
        world_.settle();
        unit_.registers_busy = false;
        asked_ = asked_ || unit_.core.deaf;
        if (leave)
            break;
        hardware.write32(at + 12, 1U << 31);
        handled++;
        meanwhile();
        index = (index + 1) % number;
    }
    hardware.write32(reg::fsts, fault_status::pfo);
}

bool FaultHandler::work() {
    if (!asked_)
        return false;
    asked_ = false;
    if (unit_.core.state == TAKEOVER_INSTALLED) {
        world_.lock(unit_.busy);
        takeover_quiet(&unit_.core);
        world_.settle();
        unit_.busy = false;
        world_.check(unit_);
    }
    takeover_hear_again(&unit_.core);
    handle();
    deliver();
    return true;
}

} // namespace vtd::harness
