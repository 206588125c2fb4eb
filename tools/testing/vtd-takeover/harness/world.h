// SPDX-License-Identifier: GPL-2.0-only
//
// A machine whose kernel died, and what must hold of it. The takeover's C runs in it unchanged:
// env.cpp lends it the model's units and memory, watch.cpp stops it before every access. At each
// store that hardware could notice, each register access and each invalidation, all that may
// become of every device's DMA is held against what it was before the crash.
//
// What is expected comes from the description that the old tables were built from, never from the
// tables. The code under test is trusted with nothing.

#pragma once

#include <map>
#include <memory>
#include <set>
#include <stdexcept>
#include <string>
#include <vector>

#include "model/unit.h"

extern "C" {
#include "env.h"
#include "unit.h"
}

// What env.h passes around by name only.
struct device {
    std::vector<vtd::model::Rid> rids;
};

namespace vtd::harness {

using namespace vtd::model;

// Names of design and README.
enum class Invariant { on, alive, shield, intact, fresh, tags, wary, closed, access };
const char* name(Invariant invariant);

struct Violation : std::runtime_error {
    Violation(Invariant broken, const std::string& what)
        : std::runtime_error(std::string(name(broken)) + ": " + what), invariant(broken) {}
    Invariant invariant;
};

// A page that a device of the dead kernel could reach.
struct OldPage {
    Iova iova;
    Hpa page;
    bool read = true, write = true;
};

// A domain of the dead kernel: nothing but its pages, or everything as it is.
struct OldDomain {
    Did did;
    std::vector<OldPage> pages;
    bool pass_through = false;
};

struct OldDevice {
    std::vector<Rid> rids; // its own, then the aliases
    std::size_t domain;    // index
    bool ats = false;
};

// What the harness builds a machine from.
struct Description {
    Capabilities capabilities;
    bool scalable = false;
    unsigned aw = 2; // 48 bits
    std::vector<OldDomain> domains;
    std::vector<OldDevice> devices;
};

class World {
public:
    explicit World(const Description& description);
    ~World();
    World(const World&) = delete;
    World& operator=(const World&) = delete;

    static World& current();

    // The steps of a crash kernel's driver.
    void adopt(takeover_mode mode = TAKEOVER_ADOPT);
    int install();
    // A device's first dma_map: release, a domain of its own, one page in it.
    void map(std::size_t device, Iova iova, Hpa page);

    // Counts for the reader.
    unsigned long checks{}, walks{};

    takeover_unit core{};
    Unit unit;
    Memory memory;

    // env.cpp
    void settle();
    void check();
    void forget(const std::function<void(Caches&)>& what);
    void* allocate();
    void release_page(void* page);
    int new_did();
    std::set<Did> reserved;
    std::vector<std::string> log;
    std::vector<std::string> trace; // what the code did, for a violation's report

    // watch.cpp
    void about_to_write(const void* at, std::size_t size, bool once);
    void about_to_read(const void* at, std::size_t size, bool once);

private:
    enum class Stage { adopted, releasing, released };
    struct Device {
        ::device dev;
        std::vector<std::pair<Request, Translation>> old;
        Stage stage = Stage::adopted;
        std::map<Request, Translation> mapped;
    };

    void build(const Description& description);
    Hpa old_table();
    Hpa build_pages(const OldDomain& domain);
    void put(Hpa table, unsigned levels, Iova iova, u64 leaf);
    void enter(const OldDevice& device);
    void forgotten(std::size_t domain) const;
    void judge(const Device& device, const Request& request, const std::set<Outcome>& outcomes,
               const Translation* old) const;
    [[noreturn]] void broken(Invariant invariant, const Request& request,
                             const std::string& what) const;

    Description description_;
    Hpa next_table_;
    Hpa context_of_bus_[256][2]{};
    std::vector<Hpa> tops_;
    std::vector<Device> devices_;
    std::unique_ptr<std::byte[], void (*)(void*)> arena_;
    std::vector<std::byte*> free_pages_;
    std::set<const void*> pages_;
    std::set<Hpa> read_by_hardware_;
    std::vector<unsigned long> adopted_, confined_;

    struct Pending {
        u64* word = nullptr;
        u64 before{};
    } pending_;
};

} // namespace vtd::harness
