// SPDX-License-Identifier: GPL-2.0-only
//
// What intel-iommu does about faults: the handler of the fault event, which asks the takeover
// before each record, and the work that the takeover leaves for later. It is not under test.

#pragma once

#include <functional>

#include "harness/world.h"

namespace vtd::harness {

class FaultHandler {
public:
    // From here on the driver has a handler, and the event is not masked any more.
    FaultHandler(World& world, std::size_t unit);

    // A device makes this request, and the unit refuses it. Of what it may do it does the worst: it
    // records the fault if that is possible at all.
    void refused(const Request& request);
    void refused(const InterruptRequest& request, const InterruptFault& fault);

    // The work, if it was asked for; returns whether it was.
    bool work();

    unsigned interrupts = 0; // that the processor took
    unsigned handled = 0;    // records that were cleared
    // What happens while a record is handled: the device is faster than the processor.
    std::function<void()> meanwhile = [] {};

private:
    void handle();
    void deliver();

    World& world_;
    World::Unit& unit_;
    bool asked_ = false; // for the work
};

} // namespace vtd::harness
