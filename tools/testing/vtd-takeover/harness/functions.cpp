// SPDX-License-Identifier: GPL-2.0-only
//
// What software has switched on in the functions of a dead machine's devices: nobody touches it as
// long as the old mappings live, whoever does keeps to the order that PCI Express asks for, and a
// device that was released is as if nobody had ever set it up.

#include "harness/world.h"

#include <algorithm>

#include <fmt/format.h>

namespace vtd::harness {

namespace {

std::string text(unsigned what) {
    std::string all;
    for (const auto& [bit, name] : {std::pair{VTD_DEVICE_ATS, " ATS"},
                                    {VTD_DEVICE_PASID, " PASID"},
                                    {VTD_DEVICE_PRI, " PRI"}})
        if (what & bit)
            all += name;
    return all;
}

} // namespace

// Disks behind a VMD are of one: that of the endpoint.
std::size_t World::function_of(std::size_t device) const {
    const auto same = [&](const ::device& other) {
        return other.unit == devices[device].unit &&
               other.rids.front() == devices[device].rids.front();
    };
    return static_cast<std::size_t>(std::ranges::find_if(devices, same) - devices.begin());
}

::device* World::find_device(const Unit& unit, Rid rid) {
    const auto is_it = [&](const ::device& device) {
        return units[device.unit].get() == &unit && device.rids.front() == rid &&
               !function(device).gone;
    };
    const auto found = std::ranges::find_if(devices, is_it);
    return found == devices.end() ? nullptr : &*found;
}

World::Function& World::function(const ::device& device) {
    return functions[function_of(static_cast<std::size_t>(&device - devices.data()))];
}

// ALIVE: DMA of old may need any of it.
void World::untouched(const Function& function, unsigned what) const {
    const auto device = static_cast<std::size_t>(&function - functions.data());
    const Rid rid = function.device.rid();
    if (requesters.at({devices[device].unit, rid}).stage != Stage::held)
        return;
    for (const Tracked& dma : tracked_)
        if (function_of(dma.device) == device && dma.old && !excused(dma))
            broken(Invariant::alive, dma.request,
                   fmt::format("and{} of its device is switched off", text(what)));
}

// PCIe 7.8.9.3.
void World::switch_on(Function& function, unsigned what) {
    const auto device = static_cast<std::size_t>(&function - functions.data());
    trace.push_back(fmt::format("device {}:{} on", device, text(what)));
    function.ours |= what;
    if (what & VTD_DEVICE_PASID && !function.device.can().pasid) {
        if (function.device.can().ats)
            throw Violation(Invariant::access, "PASIDs are switched on while ATS is");
        function.device.set_pasid(true);
    }
    if (what & VTD_DEVICE_ATS)
        function.device.set_ats(true);
    if (what & VTD_DEVICE_PRI)
        function.device.set_pri(true);
}

// What the driver does when it probes a device that is not held, with no care for what is on.
void World::prepare_ats(Function& function) {
    if (!function.device.can().ats)
        return;
    untouched(function, VTD_DEVICE_ATS);
    function.device.set_ats(false);
}

// PCIe 7.8.9.3; 10.3.7: it is not switching off that makes a device forget.
void World::switch_off(Function& function, unsigned what) {
    const auto device = static_cast<std::size_t>(&function - functions.data());
    event(fmt::format("device {}:{} off", device, text(what)));
    untouched(function, what);
    const auto wrong = [&](const char* how) {
        throw Violation(Invariant::access,
                        fmt::format("{} of device {} is switched off {}", text(what), device, how));
    };
    if (what & ~function.on() || what & function.ours || function.gone)
        wrong("that was not on");
    if (what & VTD_DEVICE_PASID) {
        if (function.device.can().ats)
            wrong("while ATS is on");
        function.device.set_pasid(false);
    }
    if (what & VTD_DEVICE_ATS) {
        if (function.device.can().pri)
            wrong("while it may ask for pages");
        const Unit& unit = *units[devices[device].unit];
        const auto of_it = [&](const auto& line) { return line.rid == function.device.rid(); };
        // A dead unit may go by the old tables, and who is hung cannot be made to forget.
        if (unit.core.state != TAKEOVER_DEAD && !function.hung &&
            std::ranges::any_of(unit.hardware.caches().devices, of_it))
            throw Violation(Invariant::fresh,
                            fmt::format("device {} remembers translations of old", device));
        function.device.set_ats(false);
    }
    if (what & VTD_DEVICE_PRI)
        function.device.set_pri(false);
    check(*units[devices[device].unit]);
}

// Who does not answer stops the queue. The command names a requester, whoever sees its function.
void World::forget_function(Unit& unit, Rid rid, bool pasids) {
    if (!unit.hardware.capabilities().device_tlb() || (pasids && !unit.core.scalable))
        throw Violation(Invariant::access, unit.name + ": it does not know this invalidation");
    const ::device* const found = find_device(unit, rid);
    if (!found || !function(*found).device.can().ats)
        throw Violation(Invariant::access, fmt::format("{:#x} answers no invalidation", rid.value));
    Function& function = World::function(*found);
    // 6.5.2.10: the queue says so, and goes on once it is told to.
    if (function.hung) {
        const u64 command = pasids ? VTD_QI_PASID_DEVTLB | u64{rid.value} << 16
                                   : VTD_QI_DEVTLB | u64{rid.value} << 32;
        for (unsigned aborts = 1; aborts; aborts++) {
            function.time_outs++;
            if (takeover_gives_up_device(&unit.core, command, aborts))
                return;
        }
    }
    forget(unit, [&](Caches& caches) {
        if (pasids)
            caches.forget_device_pasids(rid, {}, 0);
        else
            caches.forget_device(rid, {}, {}, 0);
    });
}

// FRESH, of a device that was released.
void World::settled(const Function& function) const {
    const auto device = static_cast<std::size_t>(&function - functions.data());
    if (function.gone || function.unseen || function.header ||
        !units[devices[device].unit]->core.root)
        return;
    if (const unsigned kept = function.on() & ~function.ours)
        throw Violation(Invariant::fresh,
                        fmt::format("device {} is released, and has{} on of the crashed kernel's",
                                    device, text(kept)));
}

} // namespace vtd::harness
