// SPDX-License-Identifier: GPL-2.0-only
//
// QEMU without a guest: an emulated machine with an IOMMU, driven through the qtest socket, whose
// RAM is mapped here. edu devices do one DMA at a time, on demand.

#pragma once

#include <cstdio>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "model/capabilities.h"
#include "model/types.h"

namespace vtd::compare {

using namespace vtd::model;

inline constexpr u64 ram_size = 16 << 20;
inline constexpr unsigned slots = 500; // of 8 bytes in the buffer of a device, from slot 1 on

// What the fault registers said (11.4).
struct Record {
    u8 reason;
    Rid rid;
    u64 page;
    bool read;
};

class Machine {
public:
    // argv of QEMU, and what its intel-iommu is told beside.
    Machine(std::vector<std::string> qemu, const std::string& options);
    ~Machine();
    Machine(const Machine&) = delete;
    Machine& operator=(const Machine&) = delete;

    std::span<u64> ram() { return {ram_, ram_size / sizeof(u64)}; }
    const std::vector<Rid>& devices() const { return rids_; }
    u64 cap() { return read64(0x08); }
    u64 ecap() { return read64(0x10); }

    // Translation by a root table, all caches empty (11.4.4).
    void translate(u64 rtaddr);
    // What devices read lies in their buffers: copies those to RAM, untranslated.
    void collect(std::size_t device, Hpa to);
    // Fills the buffer of a device: the other way round.
    void fill(std::size_t device, Hpa from);

    // 8 bytes from an address to a slot of the buffer, or from there. What fault there was.
    std::optional<Record> read(std::size_t device, Iova from, unsigned slot);
    std::optional<Record> write(std::size_t device, Iova to, unsigned slot);

private:
    std::string last_words() const;
    std::string command(const std::string& line);
    u64 read64(unsigned reg);
    void write32(unsigned reg, u32 value);
    void write64(unsigned reg, u64 value);
    void configure(Rid rid, unsigned offset, u32 value);
    void dma(std::size_t device, u64 from, u64 to, u64 bytes, bool to_ram);
    std::optional<Record> fault();
    void enable(bool on);

    std::string folder_;
    int pid_ = -1;
    std::FILE* lines_ = nullptr;
    u64* ram_ = nullptr;
    std::vector<Rid> rids_;
    bool scalable_{};
};

} // namespace vtd::compare
