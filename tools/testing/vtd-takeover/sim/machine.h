// SPDX-License-Identifier: GPL-2.0-only
//
// A machine whose kernel died, as its devices live through what a kdump kernel does to the IOMMU.
// Devices repeat what they were told before the crash; what becomes of it is looked up in the
// model's units and memory, one outcome each: caches are the tests' business. Counted is what is
// lost. What a kdump kernel does is strategies.h's.

#pragma once

#include <map>
#include <set>

#include "harness/crash_kernel.h"

namespace vtd::sim {

using namespace vtd::harness;

// What a device is beside its place in the tables.
struct Role {
    std::string name;
    bool disk = false;       // what it reads it writes to a disk
    bool dump = false;       // the dump is saved through it
    bool fragile = false;    // a master abort hangs it for good
    bool resets = true;      // software can reset it without its driver
    bool maps_early = false; // its driver maps before it resets
};

struct Scene {
    std::string name;
    Description description;
    std::vector<Role> roles; // of each device
};

// What a strategy costs.
struct Losses {
    unsigned dumps{};
    unsigned crash_pages{};    // of the kdump kernel's, written to by accident
    unsigned old_pages{};      // of the crashed kernel's: the dump holds something else
    unsigned old_changed{};    // words of the crashed kernel's that software changed
    unsigned blocks_nulled{};  // disk blocks that became zeroes
    unsigned blocks_garbled{}; // disk blocks that became somebody else's bytes
    unsigned aborts{};         // DMA of before the crash that ended in a master abort
    unsigned dead{};           // devices that no driver gets to work any more

    Losses& operator+=(const Losses& more);
    bool none() const;
};

class Machine {
public:
    explicit Machine(const Scene& scene);

    // All that devices still do of what they were told before the crash, once.
    void round();
    // Its driver has mapped: from here on what it did before is the driver's to end.
    void taken(std::size_t device) { states_[device].taken = true; }
    // The kdump kernel's driver of a device resets it; false if the device is dead.
    bool reset(std::size_t device);
    // The driver lets it read and write one page, by this address.
    bool use(std::size_t device, Iova iova, Hpa page);
    // A page that absorbs, and of which nothing but zeroes is read.
    void scratch(Hpa page) { scratch_ = page; }
    // Software stored to a table of the crashed kernel's.
    void old_changed() { losses_.old_changed++; }

    // The end: is there a dump?
    Losses finish();

    const Scene& scene;
    World world;
    CrashKernel kernel;
    std::size_t devices() const { return scene.description.devices.size(); }
    const Role& role(std::size_t device) const { return scene.roles[device]; }
    bool dead(std::size_t device) const { return states_[device].dead; }

private:
    struct State {
        bool flying = true; // does what it was told before the crash
        bool taken = false, dead = false, works = false;
    };
    struct Ended {
        std::optional<Hpa> at; // nothing: a master abort
    };
    Ended send(std::size_t device, const Request& request) const;
    void fly(std::size_t device, const Request& request, Hpa meant);

    std::vector<State> states_;
    std::optional<Hpa> scratch_;
    Losses losses_;
    std::set<Hpa> hit_; // pages
};

} // namespace vtd::sim
