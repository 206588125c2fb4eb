// SPDX-License-Identifier: GPL-2.0-only
//
// See tables.h. Most of each table is sound, so that the walk gets to the next one.

#include "compare/tables.h"

#include <algorithm>
#include <bit>
#include <stdexcept>

namespace vtd::compare {

namespace {
constexpr u64 size = sizeof(u64);
}

Tables::Tables(std::span<u64> ram, Mode mode, Capabilities can, std::vector<Rid> devices, u64 seed)
    : ram_(ram), mode_(mode), can_(can), devices_(std::move(devices)), random_(seed) {
    std::ranges::fill(ram_.first(first_page.value / size), 0);
    for (u64 at = first_page.value; at < ram_.size_bytes(); at += size)
        ram_[at / size] = at;
    root_ = table();
    for (const Rid rid : devices_) {
        current_ = {};
        enter(rid);
        tops_.push_back(current_);
    }
}

u64 Tables::rtaddr() const {
    const auto ttm = mode_ == Mode::legacy ? rtaddr::Ttm::legacy : rtaddr::Ttm::scalable;
    return root_.value | rtaddr::ttm.make(static_cast<u64>(ttm));
}

Hpa Tables::table() {
    const Hpa here = next_;
    next_ = here + page_size;
    if (next_ > first_page)
        throw std::logic_error("too many tables");
    return here;
}

// Beyond RAM, or wider than the platform.
Hpa Tables::nowhere() {
    return {one_of<u64>(
        {0x80000000, u64{1} << (can_.host_width - 1), u64{1} << can_.host_width, u64{1} << 50})};
}

void Tables::enter(Rid rid) {
    const bool legacy = mode_ == Mode::legacy;
    const Hpa slot = root_ + rid.bus() * 16U + (!legacy && rid.devfn() >= 0x80 ? 8 : 0);
    // One of the two buses has all devices but one: its entry is sound, mostly.
    if (!word(slot)) {
        word(slot) = table().value | present.make(1);
        if (chance(3))
            word(slot) &= ~present.mask();
        else if (chance(3))
            word(slot) |= root::reserved.make(1 + below(2047));
        else if (chance(3))
            word(slot) = nowhere().value | present.make(1);
        else if (chance(2) && legacy)
            word(slot + size) = u64{1} << below(64);
    }
    const Hpa contexts{word(slot) & root::ctp.mask()};
    if (contexts >= first_page)
        return;
    const Hpa entry = contexts + (legacy ? rid.devfn() * 16U : (rid.devfn() & 0x7f) * 32U);

    current_.levels = can_.walks(2) && chance(60) ? 4 : 3;
    u64 low = present.make(!chance(5)) | fault_disable.make(chance(15)), high = 0;
    if (legacy) {
        current_.second = table();
        const auto type =
            chance(80) ? context::Tt::untranslated : static_cast<context::Tt>(below(4));
        low |= current_.second.value | context::tt.make(static_cast<u64>(type));
        high = context::did.make(1 + below(200)) |
               context::aw.make(chance(95) ? current_.levels - aw_levels : below(8));
        if (chance(4))
            low |= context::reserved_0.make(1 + below(255));
        if (chance(4))
            high |= u64{1} << (chance(50) ? 7 : 24 + below(40));
    } else {
        low |= pasid_directory() | sm_context::pdts.make(chance(90) ? 0 : below(8));
        if (chance(3))
            low |= sm_context::reserved_0.make(1 + below(15));
        if (chance(3))
            high |= u64{1} << (21 + below(43));
        if (chance(3))
            word(entry + 2 * size) = u64{1} << below(64);
    }
    if (chance(4))
        low = nowhere().value | (low & (page_size - 1));
    word(entry) = low;
    word(entry + size) = high;
}

u64 Tables::pasid_directory() {
    using pasid_entry::Pgtt;
    const Hpa directory = table(), entries = table();
    word(directory) = entries.value | present.make(!chance(4)) | fault_disable.make(chance(10));
    if (chance(3))
        word(directory) |= pasid_directory::reserved.make(1 + below(1023));
    if (chance(3))
        word(directory) = nowhere().value | present.make(1);

    current_.second = table();
    current_.first = table();
    const bool first = mode_ == Mode::first;
    Pgtt type = chance(75) ? (first ? Pgtt::first : Pgtt::second) : static_cast<Pgtt>(below(8));
    // QEMU has no nested translation to compare with.
    if (type == Pgtt::nested)
        type = Pgtt::pass_through;
    word(entries) = current_.second.value | present.make(!chance(4)) |
                    fault_disable.make(chance(10)) |
                    pasid_entry::pgtt.make(static_cast<u64>(type)) |
                    pasid_entry::aw.make(chance(88) ? current_.levels - aw_levels : below(8));
    word(entries + size) = pasid_entry::did.make(1 + below(200));
    word(entries + 2 * size) = current_.first.value;
    if (type == Pgtt::first)
        current_.levels = 4;
    else
        current_.first = {};
    return directory.value;
}

void Tables::second(Hpa top, unsigned levels, Iova iova) {
    Hpa at = top;
    for (unsigned level = levels;; level--) {
        u64& entry = word(at + (iova.value >> level_shift(level) & 511) * size);
        const bool leaf = level == 1 || (level <= 3 && chance(20));
        if (entry) {
            // Another address came by here before.
            const bool stop = level == 1 || entry & second_stage::ps.mask();
            if (stop || (entry & second_stage::address.mask()) >= first_page.value)
                return;
            at = {entry & second_stage::address.mask()};
            continue;
        }
        entry = second_stage::r.make(!chance(7)) | second_stage::w.make(!chance(10));
        if (leaf) {
            const u64 pages = (ram_.size_bytes() - first_page.value) / page_size;
            u64 page = first_page.value + below(pages) * page_size;
            if (level > 1) {
                entry |= second_stage::ps.make(1);
                if (!chance(10)) // or misaligned
                    page = level == 2 ? page >> 21 << 21 : u64{1} << 30;
            }
            entry |= chance(4) ? nowhere().value : page;
        } else {
            entry |= chance(3) ? nowhere().value : table().value;
            if (level > 3 && chance(5))
                entry |= second_stage::ps.make(1);
        }
        if (chance(5))
            entry |= u64{1} << one_of<unsigned>({2, 3, 6, 8, 9, 10, 11, 52, 61, 62, 63});
        if (chance(2))
            entry |= u64{1} << (can_.host_width + below(52 - can_.host_width));
        if (leaf || (entry & second_stage::address.mask()) >= first_page.value ||
            entry & second_stage::ps.mask())
            return;
        at = {entry & second_stage::address.mask()};
    }
}

void Tables::first(Hpa top, unsigned levels, Iova iova) {
    Hpa at = top;
    for (unsigned level = levels;; level--) {
        u64& entry = word(at + (iova.value >> level_shift(level) & 511) * size);
        const bool leaf = level == 1 || (level <= 3 && chance(20));
        if (entry) {
            const bool stop = level == 1 || entry & first_stage::ps.mask();
            if (stop || (entry & first_stage::address.mask()) >= first_page.value)
                return;
            at = {entry & first_stage::address.mask()};
            continue;
        }
        entry = first_stage::p.make(!chance(5)) | first_stage::rw.make(!chance(8)) |
                first_stage::us.make(!chance(6));
        if (leaf) {
            const u64 pages = (ram_.size_bytes() - first_page.value) / page_size;
            u64 page = first_page.value + below(pages) * page_size;
            if (level > 1) {
                entry |= first_stage::ps.make(1);
                if (!chance(10))
                    page = level == 2 ? page >> 21 << 21 : u64{1} << 30;
            }
            entry |= chance(4) ? nowhere().value : page;
        } else {
            entry |= chance(3) ? nowhere().value : table().value;
            if (level > 3 && chance(5))
                entry |= first_stage::ps.make(1);
        }
        if (chance(5))
            entry |= u64{1} << one_of<unsigned>({3, 4, 5, 6, 8, 9, 10, 52, 62, 63});
        if (leaf || (entry & first_stage::address.mask()) >= first_page.value ||
            entry & first_stage::ps.mask() || !(entry & first_stage::p.mask()))
            return;
        at = {entry & first_stage::address.mask()};
    }
}

// Near the ends of what widths allow, and anywhere.
Iova Tables::address() {
    const unsigned width = one_of<unsigned>({30, 38, 39, 47, 48, 57});
    const u64 end = u64{1} << width;
    u64 at = 0;
    switch (below(7)) {
    case 0:
        at = end - page_size;
        break;
    case 1:
        at = end;
        break;
    case 2:
        at = mode_ == Mode::first ? ~u64{0} << width : below(page_size) * page_size;
        break;
    case 3: // what is passed through gets somewhere
        at = first_page.value + below(ram_.size_bytes() - first_page.value);
        break;
    default:
        at = below(end);
    }
    at = (at & ~(page_size - 1)) | below(512) * size;
    return {at};
}

std::vector<Try> Tables::tries(unsigned number) {
    std::vector<Try> all;
    for (unsigned n = 0; n < number; n++) {
        const std::size_t device = below(devices_.size());
        const Top& top = tops_[device];
        Iova iova = address();
        if (!all.empty() && chance(25))
            iova.value = all.back().iova.value ^ one_of<u64>({0x1000, 0x200000, 0x40000000});
        else if (chance(70))
            iova.value &= (u64{1} << level_shift(top.levels + 1)) - 1;
        // Interrupts are another address space (3.14); firmware lies below a megabyte.
        if (iova.value >> 20 == 0xfee || iova.value >> 20 == 0)
            continue;
        const bool room = next_ + 8 * page_size < first_page;
        if (room && top.first.value)
            first(top.first, top.levels, iova);
        else if (room && top.second.value)
            second(top.second, top.levels, iova);
        all.push_back({device, iova, chance(50)});
    }
    return all;
}

} // namespace vtd::compare
