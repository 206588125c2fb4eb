// SPDX-License-Identifier: GPL-2.0-only
//
// See dump.h.

#include "dump.h"

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstring>

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include "model/registers.h"

namespace vtd::inspect {

namespace {

std::vector<std::string> split(const std::string& text, char at) {
    std::vector<std::string> parts;
    std::size_t begin = 0;
    while (true) {
        const std::size_t end = text.find(at, begin);
        parts.push_back(text.substr(begin, end - begin));
        if (end == std::string::npos)
            return parts;
        begin = end + 1;
    }
}

} // namespace

u64 number(const std::string& text) {
    const bool hex = text.starts_with("0x") || text.starts_with("0X");
    const char* begin = text.data() + (hex ? 2 : 0);
    const char* end = text.data() + text.size();
    u64 value{};
    const auto [stopped, error] = std::from_chars(begin, end, value, hex ? 16 : 10);
    if (begin == end || stopped != end || error != std::errc{})
        throw Problem(fmt::format("not a number: '{}' (decimal, or 0x and hexadecimal)", text));
    return value;
}

Range range(const std::string& text) {
    const std::size_t equals = text.find('=');
    const std::string name = equals == std::string::npos ? "" : text.substr(0, equals);
    const auto ends = split(text.substr(equals == std::string::npos ? 0 : equals + 1), '-');
    if (ends.size() != 2)
        throw Problem(fmt::format("not a range: '{}' (write [NAME=]FIRST-LAST)", text));
    const Range found{name, number(ends[0]), number(ends[1])};
    if (found.first > found.last)
        throw Problem(fmt::format("not a range: '{}' ends before it begins", text));
    return found;
}

File::File(std::string path)
    : path_(std::move(path)), fd_(open(path_.c_str(), O_RDONLY | O_CLOEXEC)) {
    struct stat status {};
    if (fd_ < 0 || fstat(fd_, &status) < 0) {
        const int error = errno;
        if (fd_ >= 0)
            close(fd_);
        throw Problem(fmt::format("{}: {}", path_, std::strerror(error)));
    }
    if (!S_ISREG(status.st_mode)) {
        close(fd_);
        throw Problem(fmt::format("{}: not a file", path_));
    }
    size_ = static_cast<u64>(status.st_size);
}

File::~File() { close(fd_); }

void File::read(u64 offset, std::span<std::byte> into) const {
    while (!into.empty()) {
        const ssize_t got = pread(fd_, into.data(), into.size(), static_cast<off_t>(offset));
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            throw Problem(fmt::format("{}: {}", path_, std::strerror(errno)));
        if (got == 0) {
            std::ranges::fill(into, std::byte{0});
            return;
        }
        offset += static_cast<u64>(got);
        into = into.subspan(static_cast<std::size_t>(got));
    }
}

u64 File::next_data(u64 offset) const {
    if (offset >= size_)
        return size_;
    const off_t found = lseek(fd_, static_cast<off_t>(offset), SEEK_DATA);
    if (found >= 0)
        return static_cast<u64>(found);
    return errno == ENXIO ? size_ : offset; // a file system that knows no holes
}

void Ram::add(const std::string& text) {
    const auto parts = split(text, ':');
    if (parts.size() > 4 || parts[0].empty())
        throw Problem(fmt::format("--ram {}: write FILE[:ADDRESS[:SIZE[:OFFSET]]]", text));
    auto file = std::make_shared<File>(parts[0]);
    const u64 address = parts.size() > 1 ? number(parts[1]) : 0;
    const u64 offset = parts.size() > 3 ? number(parts[3]) : 0;
    const u64 whole = file->size() > offset ? file->size() - offset : 0;
    const u64 size = parts.size() > 2 ? number(parts[2]) : whole;
    if (!size || size > whole)
        throw Problem(fmt::format("--ram {}: the file has {:#x} bytes from there on", text, whole));
    if (address % page_size || size % page_size || offset % page_size)
        throw Problem(fmt::format("--ram {}: address, size and offset are whole pages", text));
    if (address + size < address)
        throw Problem(fmt::format("--ram {}: ends beyond the last address", text));
    for (const Piece& other : pieces_) {
        if (address < other.address + other.size && other.address < address + size)
            throw Problem(
                fmt::format("--ram {}: overlaps with what {} gives", text, other.file->path()));
    }
    pieces_.push_back({std::move(file), address, size, offset});
}

const Ram::Piece* Ram::piece(u64 at) const {
    const auto found = std::ranges::find_if(pieces_, [at](const Piece& piece) {
        return at >= piece.address && at - piece.address < piece.size;
    });
    return found == pieces_.end() ? nullptr : &*found;
}

std::optional<u64> Ram::word(Hpa at) const {
    const Piece* from = piece(at.value);
    if (!from)
        return {};
    auto& page = pages_[at.value / page_size];
    if (!page) {
        page = std::make_unique<Page>();
        from->file->read((at.value & ~(page_size - 1)) - from->address + from->offset,
                         std::as_writable_bytes(std::span(*page)));
    }
    return (*page)[at.value % page_size / sizeof(u64)];
}

Ram Ram::elsewhere(const std::vector<std::string>& paths) const {
    Ram other;
    std::vector<std::string> known;
    for (const Piece& piece : pieces_) {
        std::size_t index = 0;
        while (index < known.size() && known[index] != piece.file->path())
            index++;
        if (index == known.size())
            known.push_back(piece.file->path());
        if (index >= paths.size())
            throw Problem(fmt::format("nothing to compare {} with", piece.file->path()));
        other.add(fmt::format("{}:{:#x}:{:#x}:{:#x}", paths[index], piece.address, piece.size,
                              piece.offset));
    }
    if (paths.size() > known.size())
        throw Problem(fmt::format("{}: nothing to compare it with", paths.back()));
    return other;
}

std::vector<Hpa> Ram::changed(const Ram& other, const std::vector<Range>& where) const {
    constexpr u64 chunk = u64{1} << 20;
    std::vector<std::byte> one(chunk), two(chunk);
    std::vector<Hpa> found;
    for (const Range& range : where) {
        for (std::size_t index = 0; index < pieces_.size(); index++) {
            const Piece& piece = pieces_[index];
            const Piece& twin = other.pieces_[index];
            const u64 first = std::max(range.first & ~(page_size - 1), piece.address);
            const u64 end = std::min(range.last | (page_size - 1), piece.address + piece.size - 1);
            for (u64 at = first; at <= end && end >= piece.address;) {
                const u64 inside = at - piece.address;
                const u64 data =
                    std::min(piece.file->next_data(inside + piece.offset) - piece.offset,
                             twin.file->next_data(inside + twin.offset) - twin.offset);
                if (data > inside) {
                    if (data >= piece.size)
                        break;
                    at = piece.address + (data & ~(page_size - 1));
                    if (at > end)
                        break;
                }
                const u64 length = std::min(chunk, end - at + 1);
                const auto bytes = static_cast<std::size_t>(length);
                piece.file->read(at - piece.address + piece.offset, std::span(one).first(bytes));
                twin.file->read(at - piece.address + twin.offset, std::span(two).first(bytes));
                if (std::memcmp(one.data(), two.data(), bytes) != 0) {
                    for (std::size_t page = 0; page < bytes; page += page_size) {
                        if (std::memcmp(&one[page], &two[page], page_size) != 0)
                            found.push_back({at + page});
                    }
                }
                at += length;
            }
        }
    }
    std::ranges::sort(found);
    const auto [first, last] = std::ranges::unique(found);
    found.erase(first, last);
    return found;
}

UnitState unit(const std::string& text, std::size_t index) {
    UnitState unit;
    unit.name = fmt::format("dmar{}", index);
    unit.hardware.capabilities.host_width = 52;
    std::vector<std::pair<std::string, std::string>> given;
    bool rtaddr = false, cap = false;
    for (const std::string& part : split(text, ',')) {
        const std::size_t equals = part.find('=');
        if (equals == std::string::npos)
            throw Problem(fmt::format("--unit {}: write KEY=VALUE,...", text));
        given.emplace_back(part.substr(0, equals), part.substr(equals + 1));
    }
    // What is said of one register goes before what the page of all says.
    std::ranges::stable_partition(given, [](const auto& one) { return one.first == "registers"; });
    for (const auto& [key, value] : given) {
        if (key == "registers") {
            const File file(value);
            std::array<u64, 0x100 / sizeof(u64)> page{};
            if (file.size() < sizeof page)
                throw Problem(fmt::format("{}: a register page has {:#x} bytes at least", value,
                                          sizeof page));
            file.read(0, std::as_writable_bytes(std::span(page)));
            const auto at = [&page](unsigned offset) { return page[offset / sizeof(u64)]; };
            unit.hardware.capabilities.cap = at(reg::cap);
            unit.hardware.capabilities.ecap = at(reg::ecap);
            unit.hardware.rtaddr = at(reg::rtaddr);
            unit.irta = at(reg::irta);
            unit.pqa = at(reg::pqa);
            unit.pqh = at(reg::pqh);
            unit.pqt = at(reg::pqt);
            unit.prs = static_cast<u32>(at(reg::prs) >> 32);
            unit.gsts = static_cast<u32>(at(reg::gcmd) >> 32);
            rtaddr = cap = true;
        } else if (key == "name") {
            unit.name = value;
        } else if (key == "segment") {
            unit.segment = static_cast<unsigned>(number(value));
        } else if (key == "haw") {
            const u64 bits = number(value);
            if (bits < 32 || bits > 52)
                throw Problem(fmt::format("--unit {}: haw is between 32 and 52", text));
            unit.hardware.capabilities.host_width = static_cast<unsigned>(bits);
        } else if (key == "cap") {
            unit.hardware.capabilities.cap = number(value);
            cap = true;
        } else if (key == "ecap") {
            unit.hardware.capabilities.ecap = number(value);
        } else if (key == "gsts") {
            unit.gsts = static_cast<u32>(number(value));
        } else if (key == "rtaddr") {
            unit.hardware.rtaddr = number(value);
            rtaddr = true;
        } else if (key == "irta") {
            unit.irta = number(value);
        } else if (key == "pqa") {
            unit.pqa = number(value);
        } else if (key == "pqh") {
            unit.pqh = number(value);
        } else if (key == "pqt") {
            unit.pqt = number(value);
        } else if (key == "prs") {
            unit.prs = static_cast<u32>(number(value));
        } else {
            throw Problem(fmt::format("--unit {}: no such key: {}", text, key));
        }
    }
    if (!rtaddr || !cap)
        throw Problem(fmt::format("--unit {}: rtaddr and cap are needed, or registers", text));
    return unit;
}

} // namespace vtd::inspect
