// SPDX-License-Identifier: GPL-2.0-only
//
// 3.6 to 3.8: see paging.h. Where the specification does not order two faults of one entry, a
// missing right comes before a reserved bit.

#include "model/paging.h"

#include <algorithm>

namespace vtd::model {

namespace {

constexpr u64 below(unsigned bits) { return (u64{1} << bits) - 1; }

struct Rights {
    bool read, write;
};

Rights needed(const Paging& paging) {
    switch (paging.access) {
    case Access::read:
        return {true, false};
    case Access::write:
        return {false, true};
    case Access::atomic:
        return {true, true};
    case Access::zero_length_read:
        // 3.7.1: of a page that can only be written, too, if the unit says so.
        return {!paging.capabilities.zero_length_reads(), false};
    }
    return {true, true};
}

// 7.1: the numbers of the two modes.
struct SecondReasons {
    Reason access, top_access, not_present_read, not_present_write, reserved, no_read, no_write,
        beyond;
};
constexpr SecondReasons legacy_reasons{
    Reason::paging_access,   Reason::context_invalid, Reason::no_read,  Reason::no_write,
    Reason::paging_reserved, Reason::no_read,         Reason::no_write, Reason::beyond_width};
constexpr SecondReasons scalable_reasons{Reason::second_access,      Reason::second_root_access,
                                         Reason::second_not_present, Reason::second_not_present,
                                         Reason::second_reserved,    Reason::second_not_present,
                                         Reason::second_not_present, Reason::second_beyond_width};

u64 slot(Iova iova, unsigned level) {
    return (iova.value >> level_shift(level) & below(level_bits)) * sizeof(u64);
}

bool right_missing(const Paging& paging, const Position& here) {
    const Rights want = needed(paging);
    return (want.read && !here.read) || (want.write && !here.write) || (!here.read && !here.write);
}

// 3.6.2, 3.7.2: accessed bits of what was gone by, the dirty bit of a leaf that is written through.
// A page that comes from a cache has been marked. That a write may have to mark it once more shows
// in the walk that goes past the cache.
void mark(const Paging& paging, Hpa at, u64 entry, u64 bits) {
    if (bits & ~entry)
        paging.source.mark(at, bits & ~entry);
}

} // namespace

// 9.8
PageEntry second_stage_entry(const Capabilities& can, u64 entry, unsigned level) {
    const bool large = level > 1 && second_stage::ps.in(entry);
    const bool leaf = level == 1 || (large && can.large_second(level));

    u64 reserved =
        second_stage::reserved_62.mask() | (second_stage::address.mask() & ~below(can.host_width));
    if (leaf)
        reserved |= below(level_shift(level)) & second_stage::address.mask();
    else
        reserved |= second_stage::ps.mask();
    if (!leaf || !can.snoop_control())
        reserved |= second_stage::snp.mask();

    const bool read = second_stage::r.in(entry), write = second_stage::w.in(entry);
    return {.present = read || write,
            .leaf = leaf,
            .address = {entry & second_stage::address.mask()},
            .read = read,
            .write = write,
            .user = true,
            .reserved = (entry & reserved) != 0};
}

// 9.7
PageEntry first_stage_entry(const Capabilities& can, u64 entry, unsigned level) {
    const bool large = level > 1 && first_stage::ps.in(entry);
    const bool leaf = level == 1 || (large && (level == 2 || (level == 3 && can.first_1g())));

    u64 reserved = first_stage::address.mask() & ~below(can.host_width);
    if (leaf && level > 1) // bit 12 is PAT
        reserved |= below(level_shift(level)) & first_stage::address.mask() & ~page_size;
    if (!leaf)
        reserved |= first_stage::ps.mask();

    Hpa address{entry & first_stage::address.mask()};
    if (leaf)
        address.value &= ~below(level_shift(level));
    return {.present = first_stage::p.in(entry) != 0,
            .leaf = leaf,
            .address = address,
            .read = true,
            .write = first_stage::rw.in(entry) != 0,
            .user = first_stage::us.in(entry) != 0,
            .reserved = (entry & reserved) != 0};
}

Page second_stage_walk(const Paging& paging, const SecondStage& stage, Iova iova) {
    const auto& [tag, top, levels, marks] = stage;
    const Capabilities& can = paging.capabilities;
    const SecondReasons& reasons = paging.mode == Mode::legacy ? legacy_reasons : scalable_reasons;
    const unsigned width = std::min(level_shift(levels + 1), can.max_guest_width());

    if (iova.value & ~below(width))
        return reasons.beyond;
    const Rights want = needed(paging);
    if (const auto page = paging.source.cached_page(tag, iova)) {
        if (want.write && !page->write)
            return reasons.no_write;
        if (want.read && !page->read)
            return reasons.no_read;
        return *page;
    }

    Position here = paging.source.cached(tag, iova).value_or(Position{top, levels});
    while (true) {
        const Hpa at = here.table + slot(iova, here.level);
        const auto entry = paging.source.word(Table::second_stage, at);
        if (!entry)
            return here.level == levels ? reasons.top_access : reasons.access;
        paging.source.step(Table::second_stage, at, {&*entry, 1});

        const PageEntry found = second_stage_entry(can, *entry, here.level);
        here.read = here.read && found.read;
        here.write = here.write && found.write;
        if (right_missing(paging, here)) {
            if (want.write && !here.write)
                return found.present ? reasons.no_write : reasons.not_present_write;
            return found.present ? reasons.no_read : reasons.not_present_read;
        }
        if (found.reserved)
            return reasons.reserved;

        if (marks)
            mark(paging, at, *entry,
                 second_stage::accessed.mask() |
                     (found.leaf && want.write ? second_stage::dirty.mask() : 0));
        if (found.leaf) {
            const unsigned bits = level_shift(here.level);
            const Translation page{found.address, bits, here.read, here.write, tag.did, false};
            paging.source.keep_page(tag, iova, page);
            return page;
        }
        here.table = found.address;
        here.level--;
        paging.source.keep(tag, iova, here);
    }
}

namespace {

// 3.8: the second stage, for an address that the first one yields.
struct Nested {
    const Paging& paging;
    const std::optional<SecondStage>& second;

    // The address, and what the second stage lets it be used for.
    Page operator()(Hpa guest, Access access) const {
        if (!second)
            return Translation{guest, page_bits, true, true, {}};
        const Paging inner{paging.capabilities, paging.mode, access, paging.source};
        Page page = second_stage_walk(inner, *second, {guest.value});
        if (auto* const found = std::get_if<Translation>(&page))
            found->address = found->address + (guest.value & below(found->page_bits));
        return page;
    }

    // A table: it is read, and the accessed bit set on the way (3.6.2).
    Page table(Hpa guest) const { return (*this)(guest, Access::atomic); }
};

bool canonical(Iova iova, unsigned levels) {
    const u64 upper = iova.value >> (level_shift(levels + 1) - 1);
    return upper == 0 || upper == ~u64{0} >> (level_shift(levels + 1) - 1);
}

} // namespace

Page first_stage_walk(const Paging& paging, const FirstStage& stage, Iova iova) {
    const Capabilities& can = paging.capabilities;
    const Nested through{paging, stage.second};
    const bool writes = paging.access == Access::write || paging.access == Access::atomic;

    if (!canonical(iova, stage.levels))
        return Reason::not_canonical;
    if (const auto page = paging.source.cached_page(stage.tag, iova)) {
        if (writes && !page->write)
            return Reason::sm_no_write;
        if (!page->read && needed(paging).read)
            return Reason::sm_no_read;
        return *page;
    }

    Position here =
        paging.source.cached(stage.tag, iova).value_or(Position{stage.top, stage.levels});
    while (true) {
        const Page table = through.table(here.table + slot(iova, here.level));
        if (const auto* reason = std::get_if<Reason>(&table))
            return *reason;
        const Hpa at = std::get<Translation>(table).address;
        const auto entry = paging.source.word(Table::first_stage, at);
        if (!entry)
            return here.level == stage.levels ? Reason::first_root_access : Reason::first_access;
        paging.source.step(Table::first_stage, at, {&*entry, 1});

        const PageEntry found = first_stage_entry(can, *entry, here.level);
        if (!found.present)
            return Reason::first_not_present;
        here.user = here.user && found.user;
        here.write = here.write && found.write;
        if (!stage.privileged && !here.user)
            return Reason::first_privilege;
        const bool writable = here.write || (stage.privileged && !stage.write_protect);
        if (writes && !writable)
            return Reason::sm_no_write;

        if (found.reserved)
            return Reason::first_reserved;

        mark(paging, at, *entry,
             first_stage::accessed.mask() | (found.leaf && writes ? first_stage::dirty.mask() : 0));
        Hpa address = found.address;
        if (!found.leaf) {
            here.table = address;
            here.level--;
            paging.source.keep(stage.tag, iova, here);
            continue;
        }

        unsigned bits = level_shift(here.level);
        bool read = true, write = writable;
        if (stage.second) {
            // A page of the pair is as large as the smaller of the two, and has the rights of both.
            const u64 offset = iova.value & below(bits) & ~below(page_bits);
            const Page target = through(address + offset, paging.access);
            if (const auto* reason = std::get_if<Reason>(&target))
                return *reason;
            address = std::get<Translation>(target).address;
            bits = page_bits;
            read = std::get<Translation>(target).read;
            write = write && std::get<Translation>(target).write;
        }
        const Translation page{address, bits, read, write, stage.tag.did, false};
        paging.source.keep_page(stage.tag, iova, page);
        return page;
    }
}

} // namespace vtd::model
