// SPDX-License-Identifier: GPL-2.0-only
//
// What is known of a machine whose kernel died: its units, the domains that the kernel had made,
// which device was in which. The old tables are built from this, and what must hold of DMA is read
// off it, never off the tables.

#pragma once

#include <iosfwd>
#include <optional>
#include <string>
#include <vector>

#include "model/capabilities.h"
#include "model/format.h"
#include "model/translation.h"

namespace vtd::world {

using namespace vtd::model;

// Where things lie. The kdump kernel's own memory is the process's, from crash_memory on.
inline constexpr Hpa old_memory{0x100000000};
inline constexpr u64 old_memory_size = 64 << 20;
inline constexpr Hpa core_header{old_memory.value + old_memory_size - 0x10000};
inline constexpr Hpa first_target{old_memory.value + (32 << 20)}; // pages of devices from here on
inline constexpr Hpa firmware_memory{0x7f000000};
inline constexpr u64 firmware_size = 1 << 20;
inline constexpr u64 firmware_reserved = 2 * page_size; // of it, for each device that has some
inline constexpr Hpa registers{0xfed90000};             // no memory there
inline constexpr Hpa crash_memory{0x200000000};
inline constexpr u64 crash_memory_size = 8 << 20;
// Of the kdump kernel that follows when the n-th has crashed, too; its drivers' buffers behind it.
inline constexpr u64 crash_memory_distance = 16 << 20;
// The largest tables of interrupts, of any kdump kernel: a unit's each.
inline constexpr Hpa interrupt_memory{crash_memory.value + (u64{64} << 20)};
inline constexpr u64 interrupt_memory_size = 2 << 20;
constexpr Hpa crash_memory_of(unsigned n) { return crash_memory + n * crash_memory_distance; }
constexpr Hpa buffers_of(unsigned n) { return crash_memory_of(n) + crash_memory_size; }

// Which tables a domain has.
enum class Paging { second, first, nested, pass_through };

struct Page {
    Iova iova;
    Hpa to;
    unsigned bits = page_bits;
    bool read = true, write = true;
};

struct Domain {
    Did did;
    Paging paging = Paging::second;
    unsigned levels = 4;
    std::vector<Page> pages{};
};

// Requests with a PASID of a device.
struct Stream {
    Pasid pasid;
    std::size_t domain;
};

struct Device {
    std::size_t unit;
    std::vector<Rid> rids; // its own, then its aliases
    std::size_t domain;
    bool ats = false;
    Pasid rid_pasid{}; // of its requests without one; not 0 only with ECAP.RPS
    std::vector<Stream> streams{};
    bool reserved = false; // firmware needs firmware_memory for it (RMRR, 8.4)
};

// A descriptor of what the crashed kernel left in the invalidation queue: it waits for nothing but
// this word of its own.
struct Wait {
    Hpa status;
};

// The crashed kernel's page-request queue, as it made it.
struct PageQueue {
    unsigned order = 0; // pages: 1 << order
    u64 begin = 0;      // head and tail: offset in bytes
};

struct Unit {
    Capabilities capabilities;
    bool scalable = false;
    unsigned interrupt_entries = 0; // of its interrupt table, a power of two; 0: it has none
    bool x2apic = false;
    std::optional<std::vector<Wait>> queue{}; // the invalidation queue is on
    std::optional<PageQueue> pages{};
};

// An entry of the old interrupt table, and the device that sends to it.
struct Interrupt {
    std::size_t unit;
    u16 index;
    Rid rid;
    u8 vector;
    u32 destination = 0;
    irte::Delivery delivery = irte::Delivery::fixed;
    bool logical = false;
    std::optional<Hpa> descriptor{}; // it is posted
    // What has to become of it in a kdump kernel in xAPIC and in x2APIC mode: it stays what it
    // is, goes on to the same processor, or is blocked.
    enum class Fate { stays, goes_on, blocked } xapic = Fate::stays, x2apic = Fate::stays;
};

// A word of an old table that no kernel has written.
struct Damage {
    // paging: pages; pointer: words above the first page, from the top on, of a guest's tables
    // first
    enum class Where { rtaddr, root, context, directory, pasid, paging, pointer } where;
    std::size_t device; // on whose way it is
    unsigned word = 0;
    u64 keep = 0, put = 0; // (word & keep) | put
};

struct Description {
    std::vector<Unit> units;
    std::vector<Domain> domains;
    std::vector<Device> devices;
    std::vector<Damage> damage{};
    std::vector<Interrupt> interrupts{};
};

std::ostream& operator<<(std::ostream& out, const Description& description);

// What a device of the crashed kernel did. What the description says of it.
struct Dma {
    std::size_t device;
    Request request;
    std::optional<Translation> old; // nothing: it faulted
};

// Reads and writes of both ends of each page, and beside it, under all requester ids.
std::vector<Dma> dma_in_flight(const Description& description);

// Where exactly a request gets to.
inline Hpa target(const Translation& found, Iova iova) {
    return found.address + (iova.value & ((u64{1} << found.page_bits) - 1));
}

} // namespace vtd::world
