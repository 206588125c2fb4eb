// SPDX-License-Identifier: GPL-2.0-only
//
// One remapping unit: its registers (chapter 11.4), what commands do, and its caches. Software
// drives it by reads and writes of registers; requests of devices are explored between them. Units
// have nothing in common but memory.
//
// A command is carried out at some time between the write that gives it and the read that shows
// that it is complete. For a table that means: either of two may be in use.
//
// Not modelled: protected memory regions, performance monitoring, virtual and enhanced commands.

#pragma once

#include <functional>
#include <string>

#include "model/explore.h"
#include "model/fault_log.h"
#include "model/interrupts.h"
#include "model/invalidation.h"
#include "model/page_requests.h"

namespace vtd::model {

class Unit {
public:
    Unit(Capabilities capabilities, Memory& memory);
    Unit(const Unit&) = delete; // its parts know each other
    Unit& operator=(const Unit&) = delete;

    u32 read32(unsigned at);
    u64 read64(unsigned at);
    void write32(unsigned at, u32 value);
    void write64(unsigned at, u64 value);

    const Capabilities& capabilities() const { return capabilities_; }
    bool translates() const { return status_ & command::translation; }
    bool remaps_interrupts() const { return status_ & command::ire; }
    bool scalable() const;
    Caches& caches() { return caches_; }
    const Caches& caches() const { return caches_; }
    const std::set<u64>& roots() const { return roots_; }
    const std::set<u64>& interrupt_tables() const { return interrupt_tables_; }

    // What becomes of a request depends on this, on memory and on the caches.
    struct State {
        u32 status, pending;
        std::set<u64> roots;
        bool operator==(const State&) const = default;
    };
    State state() const { return {status_, pending_, roots_}; }

    // As the crashed kernel left it. If its queue was on, invalidation().leave() says where.
    void leave(u32 status, u64 rtaddr, u64 irta = 0);

    // All that may become of a request now. With translation off it goes where it says.
    Explored explore(const Request& request);
    // The same of a device that has a device-TLB, whatever it makes of it.
    Explored explore_ats(const Request& request);
    // The same of an interrupt.
    ExploredInterrupt explore(const InterruptRequest& request);

    // What a request that was really made leaves in tables: accessed and dirty bits.
    void mark(const Explored& explored);
    // An interrupt that was really posted.
    std::optional<Notification> post(const PostedInterrupt& interrupt);
    // A device asks for a page: into the queue, or refused, which is false.
    bool ask(const PageRequest& request);

    // 7.2.1: records a fault that is to be recorded; a full set of records overflows.
    void record(const Request& request, Fault fault);
    void record(const InterruptRequest& request, const InterruptFault& fault);

    // The parts that have registers of their own.
    FaultLog& faults() { return faults_; }
    const FaultLog& faults() const { return faults_; }
    Invalidation& invalidation() { return invalidation_; }
    const Invalidation& invalidation() const { return invalidation_; }
    PageRequests& pages() { return pages_; }
    const PageRequests& pages() const { return pages_; }

    // How often it has changed its state by itself, when commands or descriptors completed.
    unsigned long moves() const { return moves_ + invalidation_.done; }

    // How it behaves: commands that never complete, devices that complete no invalidation. How its
    // queue behaves is said in invalidation().
    std::function<bool(u32 bit)> completes = [](u32) { return true; };
    std::set<Rid> silent;

    // What the specification forbids software to do, in words; empty if nothing.
    std::vector<std::string> misuse;

private:
    void global_command(u32 value);
    void check_command(u32 value, u32 asked);
    void complete();
    void flush_everything();
    std::set<bool> may_be(u32 enable) const;
    bool x2apic() const;
    Event* event(unsigned at, unsigned& offset);
    bool is_record(unsigned at) const;
    bool is_wide(unsigned at) const;

    Capabilities capabilities_;
    Memory& memory_;
    Caches caches_;
    u32 status_{};
    u32 pending_{}, wanted_{}; // of a command that is not seen to be complete
    u64 rtaddr_{}, irta_{};    // the registers
    // What may be in use.
    std::set<u64> roots_, interrupt_tables_;
    FaultLog faults_;
    PageRequests pages_;
    Invalidation invalidation_;
    unsigned long moves_{};
};

} // namespace vtd::model
