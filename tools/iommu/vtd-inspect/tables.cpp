// SPDX-License-Identifier: GPL-2.0-only
//
// See tables.h.

#include "tables.h"

#include <algorithm>

#include <fmt/format.h>

#include "model/registers.h"

namespace vtd::inspect {

namespace {

constexpr unsigned slots = 1U << level_bits;

// Is there no entry at all, other than one that is wrong?
bool absent(const Destination& destination) {
    const auto* fault = std::get_if<Fault>(&destination);
    if (!fault)
        return false;
    switch (fault->reason) {
    case Reason::root_not_present:
    case Reason::context_not_present:
    case Reason::sm_root_not_present:
    case Reason::sm_context_not_present:
    case Reason::pasid_directory_not_present:
    case Reason::pasid_not_present:
        return true;
    default:
        return false;
    }
}

bool missing(const Stream& stream, Table table) {
    return stream.missing && stream.missing->first == table;
}

bool ended_in(const Stream& stream, Table table) {
    return stream.missing ? missing(stream, table)
                          : !stream.steps.empty() && stream.steps.back().table == table;
}

} // namespace

std::optional<u64> Recorder::word(Table table, Hpa at) {
    const auto word = ram_.word(at);
    if (!word)
        missing = {table, at};
    return word;
}

std::string bdf(const UnitState& unit, Rid rid) {
    const std::string segment = unit.segment ? fmt::format("{:04x}:", unit.segment) : "";
    return fmt::format("{}{:02x}:{:02x}.{}", segment, rid.bus(), rid.devfn() >> 3, rid.devfn() & 7);
}

Stream stream(const Dump& dump, const UnitState& unit, Rid rid, std::optional<Pasid> pasid) {
    Recorder recorder(dump.ram);
    const Request request{.rid = rid, .iova = {}, .pasid = pasid};
    Stream found{rid, pasid, destination(unit.hardware, request, recorder), {}, {}};
    found.steps = std::move(recorder.steps);
    found.missing = recorder.missing;
    return found;
}

void for_each_stream(const Dump& dump, const UnitState& unit,
                     const std::function<void(const Stream&)>& see) {
    // Of a unit that refuses everything there is nothing to go through.
    const auto ttm = static_cast<rtaddr::Ttm>(rtaddr::ttm.in(unit.hardware.rtaddr));
    if (ttm != rtaddr::Ttm::legacy && ttm != rtaddr::Ttm::scalable)
        return;
    constexpr unsigned all = 0x10000;
    const unsigned per_root = unit.scalable() ? 0x80 : 0x100;
    for (unsigned id = 0; id < all; id++) {
        const Rid rid{static_cast<u16>(id)};
        const Stream device = stream(dump, unit, rid, {});
        // A context table is a page: it is there or not, for all of its devices.
        if (id % per_root == 0 && std::holds_alternative<Fault>(device.destination) &&
            (ended_in(device, Table::root) || missing(device, Table::context))) {
            if (!absent(device.destination))
                see(device);
            id += per_root - 1;
            continue;
        }
        const bool no_entry = absent(device.destination) && ended_in(device, Table::context);
        if (no_entry)
            continue;
        see(device);
        if (!unit.scalable())
            continue;
        for (u32 pasid = 0; pasid < 1U << 20; pasid++) {
            const Stream one = stream(dump, unit, rid, Pasid{pasid});
            if (std::holds_alternative<Fault>(one.destination)) {
                if (ended_in(one, Table::context))
                    break; // no PASIDs, or none from here on
                if (ended_in(one, Table::pasid_directory) || missing(one, Table::pasid_table)) {
                    if (!absent(one.destination))
                        see(one);
                    // To the next entry of the directory, or to the next page of it.
                    pasid |= (missing(one, Table::pasid_directory) ? slots : 1) *
                                 pasid_entry::per_table -
                             1;
                    continue;
                }
            }
            if (!absent(one.destination))
                see(one);
        }
    }
}

Page PageTables::through(const SecondStage& second, u64 guest, Access access) const {
    Recorder recorder(dump_.ram);
    const Paging paging{unit_.hardware.capabilities, Mode::scalable, access, recorder};
    return second_stage_walk(paging, second, {guest});
}

void PageTables::go(const Destination& destination) {
    const unsigned guest = unit_.hardware.capabilities.max_guest_width();
    if (const auto* second = std::get_if<SecondStage>(&destination)) {
        const unsigned width = std::min(level_shift(second->levels + 1), guest);
        into({Table::second_stage, second->levels, width, nullptr, second->tag.did},
             {second->top, second->levels, {}});
    } else if (const auto* first = std::get_if<FirstStage>(&destination)) {
        if (first->second) {
            const unsigned width = std::min(level_shift(first->second->levels + 1), guest);
            const auto leaves = on_leaf;
            on_leaf = nullptr; // the device's addresses are the first stage's
            into({Table::second_stage, first->second->levels, width, nullptr, first->tag.did},
                 {first->second->top, first->second->levels, {}});
            on_leaf = leaves;
        }
        into({Table::first_stage, first->levels, level_shift(first->levels + 1),
              first->second ? &*first->second : nullptr, first->tag.did},
             {first->top, first->levels, {}});
    }
}

bool PageTables::into(const Tree& tree, const Place& here) {
    Hpa table = here.table;
    if (tree.second) {
        const Page page = through(*tree.second, table.value, Access::read);
        if (const auto* reason = std::get_if<Reason>(&page)) {
            if (on_flaw)
                on_flaw({tree.kind, table, 0, here.level, here.first,
                         fmt::format("the second stage does not lead to this table: {}",
                                     text(*reason))});
            return true;
        }
        const auto& found = std::get<Translation>(page);
        table = found.address + (table.value & ((u64{1} << found.page_bits) - 1));
    }
    const unsigned how = unsigned{here.read} | unsigned{here.write} << 1 |
                         unsigned{here.user} << 2 | unsigned{!!on_leaf} << 3;
    if (once && !seen_.insert({tree.kind, table, here.level, how}).second)
        return true;
    if (on_table)
        on_table(tree.kind, table, here.level);
    for (unsigned slot = 0; slot < slots; slot++) {
        const Hpa at = table + slot * sizeof(u64);
        const auto word = dump_.ram.word(at);
        if (!word) {
            if (on_flaw)
                on_flaw({tree.kind, at, 0, here.level, here.first, "the table is not in memory"});
            return true;
        }
        if (*word && !entry(tree, here, slot, at, *word))
            return false;
    }
    return true;
}

bool PageTables::entry(const Tree& tree, const Place& here, unsigned slot, Hpa at, u64 word) {
    const unsigned shift = level_shift(here.level);
    Place next{{}, here.level - 1, {here.first.value | u64{slot} << shift}};
    if (tree.kind == Table::second_stage && next.first.value >> tree.width)
        return true; // no request gets here
    if (tree.kind == Table::first_stage && next.first.value >> (tree.width - 1))
        next.first.value |= ~u64{0} << tree.width; // canonical

    const Capabilities& can = unit_.hardware.capabilities;
    const PageEntry found = tree.kind == Table::second_stage
                                ? second_stage_entry(can, word, here.level)
                                : first_stage_entry(can, word, here.level);
    if (!found.present)
        return true;
    if (found.reserved) {
        if (on_flaw)
            on_flaw({tree.kind, at, word, here.level, next.first, "reserved bits are set"});
        return true;
    }
    next.table = found.address;
    next.read = here.read && found.read;
    next.write = here.write && found.write;
    next.user = here.user && found.user;
    if (!next.read && !next.write)
        return true;
    return found.leaf ? leaf(tree, next, found, at) : into(tree, next);
}

bool PageTables::leaf(const Tree& tree, const Place& here, const PageEntry& found, Hpa at) {
    const unsigned level = here.level + 1, bits = level_shift(level);
    if (!on_leaf)
        return true;
    const Translation page{found.address, bits, here.read, here.write, tree.did, false};
    if (!tree.second)
        return on_leaf({here.first, page, here.user, at, level});

    // 3.8: piece by piece as the second stage has it.
    const u64 size = u64{1} << bits;
    for (u64 offset = 0; offset < size;) {
        const u64 guest = found.address.value + offset;
        const Page piece = through(*tree.second, guest, Access::read);
        const auto* to = std::get_if<Translation>(&piece);
        const u64 large = u64{1} << (to ? to->page_bits : page_bits);
        const u64 length = std::min(large - guest % large, size - offset);
        if (to) {
            const Hpa address{to->address.value + guest % large};
            for (u64 done = 0; done < length; done += page_size) {
                const Translation part{address + done,          page_bits, here.read && to->read,
                                       here.write && to->write, tree.did,  false};
                if (!on_leaf({{here.first.value + offset + done}, part, here.user, at, level}))
                    return false;
            }
        }
        offset += length;
    }
    return true;
}

Tables tables(const Dump& dump, const UnitState& unit) {
    Tables all;
    const auto add = [&all, &dump](Hpa at, std::string what, u64 hardware = 0) {
        const Hpa page{at.value & ~(page_size - 1)};
        if (dump.ram.holds(page))
            all.pages.try_emplace(page, TablePage{std::move(what), 0}).first->second.by_hardware |=
                hardware;
    };
    if (const Hpa root{rtaddr::address.make(rtaddr::address.in(unit.hardware.rtaddr))}; root.value)
        add(root, "root table");

    std::string who;
    bool marks = false; // the second stage of this device
    PageTables pages(dump, unit);
    pages.on_table = [&](Table kind, Hpa at, unsigned level) {
        const bool first = kind == Table::first_stage;
        const u64 bits = first ? first_stage::accessed.mask() | first_stage::dirty.mask() |
                                     first_stage::extended_accessed.mask()
                         : marks ? second_stage::accessed.mask() | second_stage::dirty.mask()
                                 : 0;
        add(at,
            fmt::format("{}-stage table, level {}, of {}", first ? "first" : "second", level, who),
            bits);
    };
    for_each_stream(dump, unit, [&](const Stream& stream) {
        who = bdf(unit, stream.rid);
        for (const Step& step : stream.steps) {
            if (step.table == Table::context)
                add(step.at, fmt::format("context table of bus {:02x}", stream.rid.bus()));
            else if (step.table == Table::pasid_directory)
                add(step.at, fmt::format("PASID directory of {}", who));
            else if (step.table == Table::pasid_table)
                add(step.at, fmt::format("PASID table of {}", who));
        }
        const auto* second = std::get_if<SecondStage>(&stream.destination);
        if (const auto* nested = std::get_if<FirstStage>(&stream.destination))
            second = nested->second ? &*nested->second : nullptr;
        marks = second && second->marks;
        pages.go(stream.destination);
    });
    if (const Hpa at{irta::address.make(irta::address.in(unit.irta))}; at.value)
        all.interrupts = {at, irta::entries(unit.irta) * irte::words * sizeof(u64)};
    return all;
}

void number_levels(const Destination& destination, std::vector<Step>& steps) {
    unsigned first = 0, second = 0;
    if (const auto* stage = std::get_if<SecondStage>(&destination)) {
        second = stage->levels;
    } else if (const auto* both = std::get_if<FirstStage>(&destination)) {
        first = both->levels;
        second = both->second ? both->second->levels : 0;
    }
    unsigned left = second;
    for (Step& step : steps) {
        if (step.table == Table::second_stage) {
            step.level = left--;
        } else if (step.table == Table::first_stage) {
            step.level = first--;
            left = second; // each of its tables is looked up anew
        }
    }
}

} // namespace vtd::inspect
