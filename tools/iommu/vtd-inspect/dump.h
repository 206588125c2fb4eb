// SPDX-License-Identifier: GPL-2.0-only
//
// What is looked at: a machine's memory, as files of raw RAM, and what the registers of its
// remapping units held. Nothing here is believed: a file may be short, an address may lie anywhere.

#pragma once

#include <array>
#include <memory>
#include <stdexcept>
#include <string>
#include <unordered_map>

#include "model/paging.h"

namespace vtd::inspect {

using namespace vtd::model;

// What is wrong with what the user gave; main() prints it.
struct Problem : std::runtime_error {
    using std::runtime_error::runtime_error;
};

// Physical addresses from first to last, both in it.
struct Range {
    std::string name;
    u64 first{}, last{};
    bool holds(u64 at) const { return first <= at && at <= last; }
};

u64 number(const std::string& text);  // decimal or 0x...
Range range(const std::string& text); // [NAME=]FIRST-LAST

// A file that is closed at the end.
class File {
public:
    explicit File(std::string path);
    ~File();
    File(const File&) = delete;
    File& operator=(const File&) = delete;
    const std::string& path() const { return path_; }
    u64 size() const { return size_; }
    // What lies there; zero beyond the end.
    void read(u64 offset, std::span<std::byte> into) const;
    // Where the next bytes are that are not a hole; size() if there are none.
    u64 next_data(u64 offset) const;

private:
    std::string path_;
    int fd_;
    u64 size_{};
};

// Files of RAM. Pages that were read are kept; a page of a file that is not looked at is not read,
// so that a hole in a file on tmpfs stays one.
class Ram {
public:
    // PATH[:ADDRESS[:SIZE[:OFFSET]]]: SIZE bytes from OFFSET on lie at ADDRESS.
    void add(const std::string& piece);
    std::optional<u64> word(Hpa at) const;
    bool holds(Hpa at) const { return piece(at.value) != nullptr; }
    // The same pieces in other files, in the same order.
    Ram elsewhere(const std::vector<std::string>& paths) const;
    // The addresses of pages in these ranges that differ. Holes are not read.
    std::vector<Hpa> changed(const Ram& other, const std::vector<Range>& where) const;

private:
    struct Piece {
        std::shared_ptr<File> file;
        u64 address, size, offset;
    };
    using Page = std::array<u64, page_size / sizeof(u64)>;
    const Piece* piece(u64 at) const;

    std::vector<Piece> pieces_;
    mutable std::unordered_map<u64, std::unique_ptr<Page>> pages_;
};

// What the registers of a unit held (11.4).
struct UnitState {
    std::string name;
    unsigned segment{};
    Hardware hardware;
    u64 irta{};
    u64 pqa{}, pqh{}, pqt{}; // the page-request queue
    u32 prs{};
    u32 gsts{};
    bool scalable() const {
        return rtaddr::ttm.in(hardware.rtaddr) == static_cast<u64>(rtaddr::Ttm::scalable);
    }
};

// KEY=VALUE,...: name, segment, haw (bits of a physical address), registers (a file of the raw
// register page), cap, ecap, gsts, rtaddr, irta, pqa, pqh, pqt, prs (in place of what that page
// says).
UnitState unit(const std::string& text, std::size_t index);

struct Dump {
    Ram ram;
    std::vector<UnitState> units;
};

} // namespace vtd::inspect
