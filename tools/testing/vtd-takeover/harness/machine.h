// SPDX-License-Identifier: GPL-2.0-only
//
// A machine for the takeover's core to run on: one remapping unit, the old
// kernel's RAM, and devices known by their requester ids.
//
// The machine implements env.h and writes down, in order, what the core asks
// of it. Old memory can be read through vtd_read_oldmem() and not otherwise,
// so the core could not write to it if it tried. The hardware is a register
// file and no more: caches and translation are not modelled here.

#pragma once

#include <array>
#include <compare>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <vector>

extern "C" {
#include "env.h"
#include "unit.h"
}

// What env.h passes around by name only: the ids under which a device appears,
// its own first, and what the crashed kernel has switched on in it.
struct device {
    std::vector<u16> rids;
    unsigned int on = 0;
};

namespace vtd {

// A physical address, a requester id, a domain id: not to be mixed up.
struct Phys {
    u64 value{};
    auto operator<=>(const Phys&) const = default;
};
struct Rid {
    u16 value{};
    static constexpr Rid of(unsigned bus, unsigned slot, unsigned function) {
        return {static_cast<u16>(bus << 8 | slot << 3 | function)};
    }
    auto operator<=>(const Rid&) const = default;
};
struct Did {
    u16 value{};
    auto operator<=>(const Did&) const = default;
};

// Memory that firmware reserves for a device, both ends in it.
struct Reserved {
    Rid rid;
    u64 start;
    u64 end;
};

enum class Op {
    WriteRtaddr,
    WriteGcmd,
    WriteFsts,
    WriteFectl,
    WritePqh,
    WritePqt,
    WritePqa,
    WritePrs,
    WritePectl,
    WriteCcmd,
    WriteIotlb,
    Submit,
    FlushLines,
    FlushWriteBuffer,
    InvContext,
    InvContextAll,
    InvPasidAll,
    InvIotlbDomain,
    InvIotlbAll,
    InvDevtlb,
    InvDevtlbPasids,
    DeviceOff,
};

// One thing that the core asked for. `entry` is the first word of the watched
// context entry at that moment.
struct Event {
    Op op;
    u64 value{};
    Did did;
    Rid rid;
    u64 entry{};
    std::size_t size{}; // of what was flushed
    u64 high{};         // of a descriptor
};

// One thing that it told of.
struct Traced {
    vtd_trace_event event;
    unsigned what;
    u64 before, now;
    bool operator==(const Traced&) const = default;
};

using Page = std::vector<u64>;

class Machine {
    std::array<unsigned long, TAKEOVER_DIDS / 64> live_{}, shared_{};

public:
    Machine();
    ~Machine();
    Machine(const Machine&) = delete;
    Machine& operator=(const Machine&) = delete;

    static Machine& of(takeover_unit* unit);

    // Old memory: pages by address, and the header that says which are RAM.
    Page& old_page(Phys at);
    // Where there is none: fills it, or returns false.
    std::function<bool(Phys, std::span<u64>)> synthesize = [](Phys, std::span<u64>) {
        return false;
    };
    std::span<const u64> peek_old(Phys at) const; // nothing if there is no such page
    void add_old_ram(Phys start, u64 size);
    void write_elfcorehdr(Phys at, std::span<const std::pair<Phys, u64>> ranges);

    // What the takeover did, asked for and reserved is forgotten; old memory
    // and the registers stay as they are.
    void forget();

    // What the guard may take: half of what it finds.
    void budget(unsigned pages) { pool.left = 2 * (budget_ = pages); }
    unsigned budget() const { return budget_; }

    // Another unit of the same machine: what the takeover keeps of this one it goes on keeping.
    void next_unit();
    const u64* our_page(u64 at) const; // NULL: it is none

    // A page for our root table, as the driver allocates it.
    u64* new_root();

    takeover_unit unit{};
    takeover_pool pool{.left = 0, .identities = {}, .live = live_.data(), .shared = shared_.data()};
    // Where there is something that is no old RAM.
    std::function<bool(u64, u64)> populated = [](u64, u64) { return true; };
    u32 gsts = 0;
    u64 rtaddr = 0;
    u32 fsts = 0;
    u64 irta = 0;
    u32 iqh = 0, iqt = 0;
    u64 pqh = 0, pqt = 0, pqa = 0;
    u32 prs = 0;
    // Before the tail of the page-request queue is read, or its head written: devices may ask for
    // more.
    std::function<void()> on_pqt = [] {}, on_pqh = [] {};
    int submits = 0;                           // what the invalidation queue says of descriptors
    bool drains = true;                        // the queue's descriptors complete
    std::map<unsigned int, u64> fault_records; // by register
    unsigned long waited = 0;                  // microseconds that the core spent
    unsigned rests = 0;                        // times that others could have run
    bool answers = true;                       // the unit completes its commands
    bool refuses = false;                      // and says that it did nothing
    std::optional<int> allocations;            // that still succeed; nothing: all
    std::set<Phys> poisoned;                   // pages that cannot be read
    std::set<Phys> unmappable;                 // nor can these, by software
    std::set<Did> reserved;
    int no_did = 0;                  // what asking for an id returns; 0: an id
    std::vector<Reserved> firmware;  // ranges that firmware reserves for devices
    std::map<Rid, device> functions; // that are there when the tables are adopted
    bool functions_answer = true;    // they do when they are asked to forget
    bool strangers = true;           // others are there, too
    bool forgets = true;             // the unit does what invalidations ask of it
    unsigned time_outs = 0;          // of the queue, because they do not
    int cannot_ask = 0;              // what sending them a command returns
    std::set<unsigned int> reserved_irtes;
    std::vector<Event> events;
    std::vector<std::string> log;
    std::vector<Traced> traced;
    const u64* watched = nullptr;
    std::size_t live_tables = 0;         // allocated and not freed
    std::size_t most_tables = 0;         // at a time
    unsigned allocations_that_panic = 0; // before there is a process to kill
    std::size_t reads = 0;               // of old memory
    std::function<void(Phys, std::size_t)> on_read = [](Phys, std::size_t) {};

    void note(Op op, u64 value = 0, Did did = {}, Rid rid = {});
    u32 queue_head();
    bool may_allocate();
    u64* allocate(gfp_t gfp);
    void begin_unit(const takeover_unit& before);
    void free(void* table);
    int new_did();
    int read_old(void* dst, Phys src, std::size_t size);
    bool old_ram(Phys at, std::size_t size) const;
    // Pages of ours that are in use, root tables among them.
    std::vector<std::span<u64>> tables() const;

private:
    unsigned budget_ = 1024; // of a kdump kernel with 256 MiB
    std::array<unsigned long, TAKEOVER_RIDS / 64> adopted_{};
    std::array<unsigned long, TAKEOVER_RIDS / 64> confined_{}, silent_{};
    std::array<unsigned long, TAKEOVER_DIDS / 64> dids_{};
    std::map<Phys, Page> old_;
    std::vector<std::pair<Phys, u64>> ram_;
    std::map<void*, std::unique_ptr<u64[], void (*)(void*)>> tables_;
};

} // namespace vtd
