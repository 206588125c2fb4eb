// SPDX-License-Identifier: GPL-2.0-only
//
// What intel-iommu does around the takeover, in the order that it does it: probing of units, a
// device's first dma_map in two steps, each under the unit's lock. It is not under test, and has
// no fault of its own to be found.

#pragma once

#include <deque>
#include <set>
#include <span>

#include "harness/world.h"

namespace vtd::harness {

class CrashKernel {
public:
    explicit CrashKernel(World& world) : world_(world) {}

    // Early boot: registers are read, the tables prepared, the units pointed at them.
    void boot(takeover_mode mode = TAKEOVER_ADOPT);
    void learn();
    void snapshot(std::size_t unit);
    void adopt(std::size_t unit, takeover_mode mode = TAKEOVER_ADOPT);
    int install(std::size_t unit);
    // The driver makes a device's acquaintance, long before the device's own driver maps.
    void probe(std::size_t device);

    // The queue of the crashed kernel's is switched off, the interrupt table taken over.
    void stop_queue(std::size_t unit);
    int remap(std::size_t unit, bool x2apic);
    // A new interrupt of this kernel's, at the first index that is free.
    unsigned interrupt(std::size_t unit, Rid rid, u8 vector);

    // The page-request queue is changed for one of this kernel's, of so many pages (a power of
    // two), and its interrupt enabled. What the driver's handler does whenever it is called for.
    void switch_pages(std::size_t unit, unsigned order = 0);
    void serve_pages(std::size_t unit);

    // A device's first dma_map: the old mappings end, then the device's group has a domain of its
    // own with one page in it.
    int release(std::size_t device); // returns what the takeover says it released
    void fill(std::size_t device, Iova iova, Hpa page);
    void map(std::size_t device, Iova iova = {0x1000}, Hpa page = default_page);
    // The two steps of devices, in any order: a device that is named is released, and the next time
    // it has a page.
    void map_in_steps(std::span<const std::size_t> order);

    static constexpr Hpa default_page = world::buffers_of(0);

private:
    struct Domain {
        Did did;
        u64* top;
        bool first_stage;
        u64* directory; // scalable mode
        std::map<Iova, Translation> pages;
    };

    Domain& domain_of(std::size_t device);
    void put(Domain& domain, unsigned levels, Iova iova, Hpa page);
    void enter(World::Unit& unit, const Domain& domain, Rid rid, unsigned aw, bool ats);
    u64* table();
    void write(u64* at, u64 value);

    World& world_;
    // Of a device, for all of its group; tasks keep references.
    std::deque<std::pair<std::size_t, Domain>> domains_;
    std::set<std::size_t> refused_; // devices whose attach failed
};

} // namespace vtd::harness
