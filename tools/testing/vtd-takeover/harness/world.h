// SPDX-License-Identifier: GPL-2.0-only
//
// A machine whose kernel died, and what must hold of it. The takeover's C runs in it unchanged:
// env.cpp lends it the model's units and memory, watch.cpp stops it before every access. At each
// store that hardware could notice, each register access and each invalidation, all that may
// become of every device's DMA is held against what the description of the old tables says.
//
// What intel-iommu does around the takeover is crash_kernel.h's. The code under test is trusted
// with nothing.

#pragma once

#include <algorithm>
#include <array>
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <span>
#include <stdexcept>
#include <string>
#include <vector>

#include "harness/page_traffic.h"
#include "harness/schedule.h"
#include "model/device.h"
#include "model/unit.h"
#include "world/builder.h"
#include "world/description.h"

extern "C" {
#include "env.h"
#include "unit.h"
}

// What env.h passes around by name only.
struct device {
    std::size_t unit;
    std::vector<vtd::model::Rid> rids;
};

namespace vtd::harness {

using namespace vtd::model;
using world::Description;

// Names of design and README; "access" are rules of the boundary, the specification's among them.
enum class Invariant { on, alive, shield, intact, fresh, tags, wary, closed, access };
const char* name(Invariant invariant);

struct Violation : std::runtime_error {
    Violation(Invariant broken, const std::string& what)
        : std::runtime_error(std::string(name(broken)) + ": " + what), invariant(broken) {}
    Invariant invariant;
};

// What goes wrong on the way: the n-th of its kind, from 1 on; 0 is none of them.
struct Failures {
    unsigned allocation = 0; // there is no page
    unsigned command = 0;    // a command to a unit never completes
    unsigned old_read = 0;   // memory that cannot be read
    unsigned window = 0;     // the same, because it cannot be mapped
};

// How often each could have gone wrong.
struct Chances {
    unsigned allocations{}, commands{}, old_reads{};
};

// Of all worlds of a process.
struct Totals {
    unsigned long worlds{}, schedules{}, steps{}, walks{};
};

// Linux keeps two ids to itself: 0, and this one, of pass-through entries. It may tag an old
// first-stage or pass-through entry as well, but no second-stage table (6.2.3.1).
inline constexpr Did of_driver{1};

class World {
public:
    explicit World(const Description& description, Failures failures = {});
    ~World();
    // The kdump kernel crashes as well: what it has becomes old, and a further one follows. Its map
    // of RAM has the crashed kernel's memory, too, or its own alone, as kexec would make it from
    // what a kdump kernel is told: then tables of the crashed kernel are not to be believed.
    void crash_again(bool all_ram);
    World(const World&) = delete;
    World& operator=(const World&) = delete;

    static World& current();
    static Totals totals;

    struct Unit {
        Unit(std::string called, const world::Unit& description, Memory& memory);
        // A kernel that has not looked at it yet.
        void begin(bool scalable);
        std::string name;
        takeover_unit core{};
        model::Unit hardware;
        std::vector<unsigned long> adopted, confined, silent, dids;
        std::set<Did> used;    // domain ids that a new domain does not get
        std::set<Did> given;   // those that new domains got
        bool exhausted;        // there was none left: somebody may have to be blocked
        std::vector<Hpa> read; // words that some walk of the last exploration looked at, in order
        bool reads(Hpa first, u64 size) const {
            const auto at = std::ranges::lower_bound(read, first);
            return at != read.end() && at->value - first.value < size;
        }
        // What was found out about each request: true as long as nothing changes that it was found
        // out from, which is memory, the unit's state and its caches.
        struct Known {
            std::size_t dma; // of those that are tracked
            bool ats;
            Explored explored;
        };
        std::vector<Known> known;
        std::optional<model::Unit::State> known_state{};
        Caches known_caches;
        std::vector<Hpa> changed; // words of memory, since then
        bool busy = false;        // the driver's lock
        bool registers_busy = false;
        bool closed = false; // its root table is ours for good
        // Its interrupt table: the old one, either while they are changed, or ours for good.
        enum class Interrupts { old, either, ours } interrupts = Interrupts::old;
        bool x2apic = false;              // of our table
        std::set<unsigned> reserved{};    // indices that no new interrupt gets
        std::span<u64> interrupt_table{}; // ours
        PageTraffic pages{};
    };
    Unit& unit(const takeover_unit* core);

    // Where a requester id stands.
    enum class Stage { held, releasing, released };
    struct Requester {
        Stage stage = Stage::held;
        std::map<Iova, Translation> mapped{}; // by its driver, pages of 4 KiB
    };

    // What software has switched on in a device's function, the one of its own requester id.
    struct Function {
        model::Device device;
        unsigned ours = 0; // VTD_DEVICE_*, by this kernel and not by the one that died
        bool gone = false;
        bool hung = false;      // answers no invalidation
        bool unseen = false;    // the kdump kernel does not know of it,
        bool header = false;    // or sees no more than 256 bytes of its configuration space
        unsigned time_outs = 0; // that this made
        unsigned on() const {
            const auto& can = device.can();
            return can.ats * VTD_DEVICE_ATS | can.pasid * VTD_DEVICE_PASID |
                   can.pri * VTD_DEVICE_PRI;
        }
    };

    const Description description;
    Memory memory;
    std::vector<unsigned long> live, shared;
    takeover_pool pool{}; // of all units
    std::vector<std::unique_ptr<Unit>> units;
    std::vector<::device> devices;
    std::vector<Function> functions; // of the devices
    std::map<std::pair<std::size_t, Rid>, Requester> requesters;
    bool blocking = false; // the policy is to adopt nothing
    Hpa core_header = world::core_header;
    unsigned crashes = 1;

    // What passed through has an identity table and, from now on, another domain id.
    void name_identity(const Unit& unit);

    // Whose own requester id that is; one that is gone is nobody's.
    device* find_device(const Unit& unit, Rid rid);

    // The kdump kernel's memory, and what no device may reach before its driver maps.
    std::array<std::pair<Hpa, u64>, 3> own() const;
    bool is_forbidden(Hpa where) const;
    // Is there anything at all, but for the crashed kernel's RAM?
    bool is_populated(Hpa first, u64 size) const;
    // For the guards, of one unit if it is alone.
    void budget(unsigned pages) {
        pool = {.left = 2 * pages, .identities = {}, .live = live.data(), .shared = shared.data()};
    }

    Schedule* schedule = nullptr;   // if tasks run by turns
    bool doubts = false;            // what is known is found out again, and has to be the same
    std::vector<std::string> log;   // what the code said
    std::vector<std::string> trace; // what it did, for a violation's report
    Chances chances;
    unsigned long steps{}, walks{};

    // What has just been done shows from now on. `what` joins the trace.
    void event(std::string what);
    void settle();
    void check();
    void check(Unit& unit);

    // The kdump kernel's interrupt table of a unit.
    std::span<u64> interrupt_table(Unit& unit);

    // What tables say, past all caches.
    Outcome plain(const Unit& unit, u64 rtaddr, const Request& request) const;

    // FRESH: what a driver has mapped its device does reach. Not where there is no page for a
    // table, or the unit is dead.
    void reaches(Unit& unit, Rid rid, Iova iova, Hpa page) const;

    // A function-level reset: what the device did before the crash it does no more, and it has
    // forgotten what it knew.
    void reset(std::size_t device);
    // functions.cpp: the switches of a device's function, and who may touch them when.
    std::size_t function_of(std::size_t device) const;
    Function& function(const ::device& device);
    void prepare_ats(Function& function);
    void switch_on(Function& function, unsigned what);
    void switch_off(Function& function, unsigned what);
    void forget_function(Unit& unit, Rid rid, bool pasids);
    void settled(const Function& function) const;

    // Memory of the kdump kernel, in pages, for tables of the takeover and of the driver.
    u64* allocate();
    u64* allocate_in_a_row(std::size_t pages); // all or none
    void release_page(void* page);
    bool allocation_fails() { return ++chances.allocations == failures_.allocation; }
    bool command_fails() { return ++chances.commands == failures_.command; }
    int old_read_fails(); // with what

    void forget(Unit& unit, const std::function<void(Caches&)>& what);
    void lock(bool& busy);
    int new_did(Unit& unit);
    void free_did(Unit& unit, Did did);
    bool lives(const Unit& unit, Did did) const;
    bool translates(const Unit& unit, Did did) const;
    static bool cached(const Unit& unit, Did did);

    // watch.cpp
    void about_to_write(const void* at, std::size_t size, bool once);
    void about_to_read(const void* at, std::size_t size, bool once);

private:
    // Requests of before the crash, and all that may become of them now.
    struct Tracked {
        std::size_t device;
        Request request;
        std::optional<Translation> old;   // by the description
        std::optional<Outcome> damaged{}; // by the damaged tables, if that differs
        // What the caches hold for it they hold for damaged entries, too: the domain id is theirs.
        bool mixed = false;
        // Its tables are not in what the kdump kernel knows as RAM.
        bool out_of_sight = false;
    };

    // The same of interrupts.
    struct TrackedInterrupt {
        std::size_t unit;
        InterruptRequest request;
        std::optional<InterruptOutcome> old; // by the description; nothing: a fault
        bool stranger = false;               // somebody else, whom the entry does not let through
        std::array<std::optional<InterruptOutcome>, 2> now; // in xAPIC and x2APIC mode
    };

    void track();
    void explore(Unit& unit);
    void note_changes();
    void outlive(Tracked& dma) const;
    void relocate();
    std::optional<Translation> now(const Tracked& dma) const;
    const world::Domain& domain_of(const Tracked& dma) const;
    void own_memory(unsigned n);
    void track_interrupts();
    void judge(const Unit& unit, const TrackedInterrupt& interrupt,
               const std::set<InterruptOutcome>& outcomes) const;
    void judge(const Unit& unit, const Tracked& dma, const std::set<Outcome>& outcomes) const;
    void forgotten(const Unit& unit) const;
    bool excused(const Tracked& dma) const;
    bool is_poisoned() const;
    bool may_have_id_of_driver(const Tracked& dma) const;
    void untouched(const Function& function, unsigned what) const;
    [[noreturn]] void broken(Invariant invariant, const Request& request,
                             const std::string& what) const;
    std::size_t index(const Unit& unit) const;

    Failures failures_;
    world::Builder builder_;
    std::vector<Tracked> tracked_;
    std::vector<TrackedInterrupt> tracked_interrupts_;
    std::set<std::size_t> reset_; // devices
    std::vector<u64*> free_pages_;
    std::set<const void*> pages_;

    struct Pending {
        u64* word = nullptr;
        u64 before{};
    } pending_;
};

} // namespace vtd::harness
