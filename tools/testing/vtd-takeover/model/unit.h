// SPDX-License-Identifier: GPL-2.0-only
//
// One remapping unit: its registers (chapter 11.4), what commands do, and its caches. Software
// drives it by reads and writes of registers; requests of devices are explored between them.
//
// A command is carried out at some time between the write that gives it and the read that shows
// that it is complete. For the root table that means: either of two may be in use.

#pragma once

#include <functional>
#include <string>

#include "model/explore.h"
#include "model/registers.h"

namespace vtd::model {

// 7.2.2: one record, as software reads it.
struct FaultRecord {
    u64 low{}, high{};
};

class Unit {
public:
    Unit(Capabilities capabilities, Memory& memory);

    u32 read32(unsigned at);
    u64 read64(unsigned at);
    void write32(unsigned at, u32 value);
    void write64(unsigned at, u64 value);

    const Capabilities& capabilities() const { return capabilities_; }
    bool translates() const { return status_ & command::translation; }
    bool scalable() const;
    Caches& caches() { return caches_; }
    const Caches& caches() const { return caches_; }
    const std::set<u64>& roots() const { return roots_; }

    // As a kernel that died left it.
    void leave(u32 status, u64 rtaddr, u64 irta = 0);

    // All that may become of a request now. With translation off it goes where it says.
    Explored explore(const Request& request);
    // The same of a device that has a device-TLB, whatever it makes of it.
    Explored explore_ats(const Request& request);

    // 7.2.1: records a fault that is to be recorded; a full set of records overflows.
    void record(const Request& request, Fault fault);

    // How often it has changed its state by itself, when commands or descriptors completed.
    unsigned long moves() const { return moves_; }

    // How it behaves: commands that never complete, a queue that does not move (a device-TLB
    // that does not answer, 6.5.2.8).
    std::function<bool(u32 bit)> completes = [](u32) { return true; };
    bool queue_moves = true;

    // What the specification forbids software to do, in words; empty if nothing.
    std::vector<std::string> misuse;

private:
    void global_command(u32 value);
    void complete();
    void context_command(u64 value);
    void iotlb_command(u64 value);
    void run_queue();
    bool descriptor(Hpa at);
    void flush_everything();

    Capabilities capabilities_;
    Memory& memory_;
    Caches caches_;
    u32 status_{};
    u32 pending_{}, wanted_{}; // of a command that is not seen to be complete
    u64 rtaddr_{};             // the register
    std::set<u64> roots_;      // what may be in use
    u64 ccmd_{}, iva_{}, iotlb_{}, iqa_{}, irta_{};
    u32 iqh_{}, iqt_{}, fsts_{}, fectl_{};
    std::vector<FaultRecord> faults_;
    unsigned next_fault_{};
    unsigned long moves_{};
};

} // namespace vtd::model
