// SPDX-License-Identifier: GPL-2.0-only
//
// Chapter 4, and what PCI Express lets software switch in a device: address translation services,
// PASIDs and page requests. A device goes on with what it did until it is reset, whichever kernel
// runs. Its configuration space is not modelled, only these switches.

#pragma once

#include "model/unit.h"

namespace vtd::model {

class Device {
public:
    struct Switches {
        bool ats = false, pasid = false, pri = false;
    };
    Device(Unit& unit, Rid rid, Switches can) : unit_(unit), rid_(rid), can_(can) {}

    // All that may become of its DMA, whatever it makes of its device-TLB. Nothing, if it cannot
    // send such a request.
    Explored explore(Request request) const;
    // It asks for a page. False: it may not, or the unit refused.
    bool ask(PageRequest request) const;
    // Page requests that it still waits for.
    std::vector<PageRequest> waits_for() const { return unit_.pages().outstanding(rid_); }

    Rid rid() const { return rid_; }
    const Switches& can() const { return can_; }
    void set_ats(bool on);
    void set_pasid(bool on) { can_.pasid = on; }
    void set_pri(bool on) { can_.pri = on; }
    // It completes no invalidation any more: gone, or hung.
    void set_silent(bool on);
    // A function-level reset: it remembers nothing and is switched off.
    void reset();

private:
    Unit& unit_;
    Rid rid_;
    Switches can_;
};

} // namespace vtd::model
