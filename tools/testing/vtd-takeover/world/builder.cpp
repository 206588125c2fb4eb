// SPDX-License-Identifier: GPL-2.0-only
//
// See builder.h.

#include "world/builder.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cassert>
#include <cstring>
#include <string>

#include "model/invalidation.h"
#include "model/registers.h"
#include "world/core_header.h"

namespace vtd::world {

namespace {

constexpr u64 word_size = sizeof(u64);

constexpr u64 second_bits(const Page& page) {
    return second_stage::r.make(page.read) | second_stage::w.make(page.write) |
           second_stage::ps.make(page.bits > page_bits);
}
constexpr u64 first_bits(const Page& page) {
    return first_stage::p.make(1) | first_stage::rw.make(page.write) | first_stage::us.make(1) |
           first_stage::accessed.make(1) | first_stage::dirty.make(1) |
           first_stage::ps.make(page.bits > page_bits);
}
constexpr u64 second_above = second_stage::r.make(1) | second_stage::w.make(1);
constexpr u64 first_above = first_stage::p.make(1) | first_stage::rw.make(1) |
                            first_stage::us.make(1) | first_stage::accessed.make(1);

constexpr unsigned level_of(unsigned bits) { return (bits - page_bits) / level_bits + 1; }

} // namespace

Builder::Builder(const Description& description, Memory& memory)
    : description_(description), memory_(memory) {
    for (const Unit& unit : description.units) {
        const auto ttm = unit.scalable ? rtaddr::Ttm::scalable : rtaddr::Ttm::legacy;
        rtaddr.push_back(table().value | rtaddr::ttm.make(static_cast<u64>(ttm)));
    }
    for (const Domain& domain : description.domains) {
        const bool nested = domain.paging == Paging::nested;
        tables_.push_back(nested || domain.paging == Paging::first ? first_stage(domain, nested)
                                                                   : second_stage(domain));
    }
    for (const Device& device : description.devices)
        enter(device, ways_.emplace_back());
    for (std::size_t unit = 0; unit < description.units.size(); unit++) {
        irta.push_back(interrupts(unit));
        queues.push_back(queue(description.units[unit]));
        const auto& pages = description.units[unit].pages;
        pqa.push_back(pages ? table(page_size << pages->order).value |
                                  queue_address::size.make(pages->order)
                            : 0);
    }
    const std::array ram{std::pair{old_memory, old_memory_size}};
    write_core_header(memory_, core_header, ram);
    memory_.flush(old_memory, old_memory_size);
    memory_.drain();
}

// 9.9, 9.10
u64 Builder::interrupts(std::size_t unit) {
    const Unit& of = description_.units[unit];
    if (!of.interrupt_entries)
        return 0;
    const Hpa base =
        table(std::max<u64>(of.interrupt_entries * irte::words * word_size, page_size));
    for (const Interrupt& interrupt : description_.interrupts) {
        if (interrupt.unit != unit)
            continue;
        assert(interrupt.index < of.interrupt_entries);
        u64 low = present.make(1) | irte::vector.make(interrupt.vector);
        u64 high = irte::sid.make(interrupt.rid.value) |
                   irte::svt.make(static_cast<u64>(irte::Svt::requester));
        if (interrupt.descriptor) {
            const u64 at = interrupt.descriptor->value;
            low |= irte::posted.make(1) |
                   posted_irte::address_low.make(at >> posted_irte::address_low_shift);
            high |= posted_irte::address_high.make(at >> 32);
            if (memory_.owner(*interrupt.descriptor) != Owner::nobody)
                memory_.store(*interrupt.descriptor + posted_descriptor::control,
                              posted_descriptor::vector.make(interrupt.vector));
        } else {
            const Field& to = of.x2apic ? irte::destination : irte::destination_xapic;
            low |= irte::delivery.make(static_cast<u64>(interrupt.delivery)) |
                   irte::logical.make(interrupt.logical) | to.make(interrupt.destination);
        }
        const Hpa at = base + interrupt.index * irte::words * word_size;
        memory_.store(at, low);
        memory_.store(at + word_size, high);
    }
    const auto size = static_cast<u64>(std::countr_zero(of.interrupt_entries)) - 1;
    return base.value | irta::eime.make(of.x2apic) | irta::size.make(size);
}

Builder::Queue Builder::queue(const Unit& unit) {
    if (!unit.queue)
        return {};
    // 6.5.2: descriptors of scalable mode are twice as wide.
    const u64 bytes = (unit.scalable ? 4 : 2) * word_size;
    const Hpa base = table();
    u64 tail = 0;
    for (const Wait& wait : *unit.queue) {
        namespace desc = model::descriptor;
        memory_.store(base + tail, desc::type.make(static_cast<u64>(desc::Type::wait)) |
                                       desc::writes.make(1) | desc::status_data.make(1));
        memory_.store(base + tail + word_size, wait.status.value);
        tail += bytes;
    }
    return {base.value | queue_address::wide.make(unit.scalable), tail};
}

Hpa Builder::table(u64 size) {
    const Hpa here = next_;
    next_ = here + size;
    assert(next_ < first_target);
    return here;
}

// Returns where the leaf lies.
Hpa Builder::put(Hpa top, unsigned levels, const Page& page, u64 leaf, u64 above,
                 std::vector<Hpa>* pointers) {
    Hpa at = top;
    for (unsigned level = levels;; level--) {
        const Hpa slot = at + (page.iova.value >> level_shift(level) & 511) * word_size;
        if (level == level_of(page.bits)) {
            memory_.store(slot, page.to.value | leaf);
            return slot;
        }
        if (!memory_.load(slot))
            memory_.store(slot, table().value | above);
        if (pointers)
            pointers->push_back(slot);
        at = {memory_.load(slot) & model::second_stage::address.mask()};
    }
}

Builder::Tables Builder::second_stage(const Domain& domain) {
    if (domain.paging == Paging::pass_through)
        return {}; // no table, and 0 where its address would be
    Tables tables{.second = table(), .first = {}, .leaf = {}, .pointers = {}};
    for (const Page& page : domain.pages) {
        const Hpa leaf = put(tables.second, domain.levels, page, second_bits(page), second_above,
                             tables.leaf.value ? nullptr : &tables.pointers);
        if (!tables.leaf.value)
            tables.leaf = leaf;
    }
    return tables;
}

// The second stage of a nested pair lets a guest have all of the old memory where it is, and its
// pages elsewhere.
Builder::Tables Builder::first_stage(const Domain& domain, bool nested) {
    Tables tables{.second = {}, .first = table(), .leaf = {}, .pointers = {}};
    for (const Page& page : domain.pages) {
        const Hpa leaf = put(tables.first, domain.levels, page, first_bits(page), first_above,
                             tables.leaf.value ? nullptr : &tables.pointers);
        if (!tables.leaf.value)
            tables.leaf = leaf;
    }
    if (nested) {
        tables.second = table();
        for (u64 at = 0; at < old_memory_size; at += 1 << 21) {
            const Page page{{(old_memory + at).value}, old_memory + at, 21};
            put(tables.second, domain.levels, page, second_bits(page), second_above,
                at ? nullptr : &tables.pointers);
        }
        for (Page page : domain.pages) {
            page.iova = {page.to.value};
            if (page.to.value - old_memory.value >= old_memory_size)
                put(tables.second, domain.levels, page, second_bits(page), second_above);
        }
    }
    return tables;
}

void Builder::pasid_entry(Hpa at, const Domain& domain, const Tables& tables) {
    using namespace model::pasid_entry;
    constexpr Pgtt types[] = {Pgtt::second, Pgtt::first, Pgtt::nested, Pgtt::pass_through};
    const Pgtt type = types[static_cast<std::size_t>(domain.paging)];
    memory_.store(at + word_size, did.make(domain.did.value));
    if (type == Pgtt::first || type == Pgtt::nested)
        memory_.store(at + 2 * word_size, tables.first.value | fspm.make(domain.levels == 5));
    memory_.store(at, tables.second.value | aw.make(domain.levels - aw_levels) |
                          pgtt.make(static_cast<u64>(type)) | present.make(1));
}

Hpa Builder::directory(const Device& device, Way& way) {
    // As large as 20 bits of PASID ask for, so that the context entry need not say how large.
    constexpr u64 size = (u64{1} << 20) / pasid_entry::per_table * word_size;
    const Hpa directory = table(size);
    const auto entry = [&](Pasid pasid) {
        const Hpa slot = directory + pasid.value / pasid_entry::per_table * word_size;
        if (!memory_.load(slot))
            memory_.store(slot, table().value | present.make(1));
        return Hpa{memory_.load(slot) & pasid_directory::smptblptr.mask()} +
               pasid.value % pasid_entry::per_table * pasid_entry::words * word_size;
    };
    way.directory = directory;
    way.pasid = entry(device.rid_pasid);
    way.paging = tables_[device.domain].leaf;
    way.pointers = tables_[device.domain].pointers;
    pasid_entry(way.pasid, description_.domains[device.domain], tables_[device.domain]);
    for (const Stream& stream : device.streams)
        pasid_entry(entry(stream.pasid), description_.domains[stream.domain],
                    tables_[stream.domain]);
    return directory;
}

void Builder::enter(const Device& device, Way& way) {
    const bool scalable = description_.units[device.unit].scalable;
    const Domain& domain = description_.domains[device.domain];
    const Hpa top{rtaddr::address.mask() & rtaddr[device.unit]};
    const Hpa behind = scalable ? directory(device, way) : tables_[device.domain].second;

    for (const Rid rid : device.rids) {
        const unsigned half = scalable ? rid.devfn() >> 7 : 0;
        const Hpa slot = top + rid.bus() * root::words * word_size + half * word_size;
        if (!memory_.load(slot))
            memory_.store(slot, table().value | present.make(1));
        const Hpa contexts{memory_.load(slot) & root::ctp.mask()};
        const Hpa entry = scalable ? contexts + (rid.devfn() & 0x7f) * sm_context::words * word_size
                                   : contexts + rid.devfn() * context::words * word_size;
        if (!way.root.value) {
            way.root = slot;
            way.context = entry;
        }
        if (scalable) {
            constexpr u64 largest = 7;
            memory_.store(entry + word_size, sm_context::rid_pasid.make(device.rid_pasid.value));
            memory_.store(entry, behind.value | sm_context::pdts.make(largest) |
                                     sm_context::dte.make(device.ats) |
                                     sm_context::paside.make(!device.streams.empty()) |
                                     present.make(1));
            continue;
        }
        using context::Tt;
        const Tt type = domain.paging == Paging::pass_through ? Tt::pass_through
                        : device.ats                          ? Tt::all
                                                              : Tt::untranslated;
        way.paging = tables_[device.domain].leaf;
        way.pointers = tables_[device.domain].pointers;
        memory_.store(entry + word_size, context::did.make(domain.did.value) |
                                             context::aw.make(domain.levels - aw_levels));
        memory_.store(entry,
                      behind.value | context::tt.make(static_cast<u64>(type)) | present.make(1));
    }
}

void write_core_header(Memory& memory, Hpa at, std::span<const std::pair<Hpa, u64>> ram) {
    const std::string bytes = vtd::core_header(ram);
    for (std::size_t done = 0; done < bytes.size(); done += word_size) {
        u64 word = 0;
        std::memcpy(&word, &bytes[done], word_size);
        memory.store(at + done, word);
    }
}

void Builder::damage() {
    for (const Damage& damage : description_.damage) {
        const Way& way = ways_[damage.device];
        if (damage.where == Damage::Where::rtaddr) {
            u64& value = rtaddr[description_.devices[damage.device].unit];
            value = (value & damage.keep) | damage.put;
            continue;
        }
        const Hpa places[] = {{}, way.root, way.context, way.directory, way.pasid, way.paging};
        Hpa word{};
        if (damage.where != Damage::Where::pointer) {
            const Hpa place = places[static_cast<std::size_t>(damage.where)];
            word = {place.value ? place.value + damage.word * word_size : 0};
        } else if (damage.word < way.pointers.size()) {
            word = way.pointers[damage.word];
        }
        if (!word.value)
            continue; // no such table on this way
        memory_.store(word, (memory_.load(word) & damage.keep) | damage.put);
    }
    memory_.flush(old_memory, old_memory_size);
    memory_.drain();
}

} // namespace vtd::world
