// SPDX-License-Identifier: GPL-2.0-only
//
// See crash_kernel.h.

#include "harness/crash_kernel.h"

#include <algorithm>
#include <bit>
#include <cassert>
#include <set>

#include <fmt/format.h>

namespace vtd::harness {

namespace {

class Locked {
public:
    Locked(World& world, World::Unit& unit) : unit_(unit) { world.lock(unit.busy); }
    ~Locked() { unit_.busy = false; }
    Locked(const Locked&) = delete;
    Locked& operator=(const Locked&) = delete;

private:
    World::Unit& unit_;
};

// The widest second-stage table that a unit walks.
unsigned widest(const Capabilities& can) {
    for (unsigned aw = 3; aw; aw--)
        if (can.walks(aw))
            return aw;
    return 2;
}

} // namespace

// The kernel before the last one is none that anybody dumps, or shields.
void CrashKernel::learn() {
    takeover_forbid_nothing();
    for (const auto& [start, size] : world_.own())
        takeover_forbid(start.value, start.value + size);
    [[maybe_unused]] const int ret = takeover_oldmem_learn(world_.core_header.value);
    world_.settle();
}

void CrashKernel::snapshot(std::size_t unit) {
    takeover_snapshot(&world_.units[unit]->core);
    world_.settle();
    world_.units[unit]->pages.silent_from_now_on(world_.units[unit]->hardware);
}

void CrashKernel::adopt(std::size_t unit, takeover_mode mode) {
    world_.blocking = mode == TAKEOVER_BLOCK;
    takeover_adopt(&world_.units[unit]->core, world_.allocate(), mode);
    world_.settle();
    world_.check();
}

int CrashKernel::install(std::size_t unit) {
    World::Unit& here = *world_.units[unit];
    const int ret = takeover_install(&here.core);
    world_.settle();
    here.closed = !ret;
    if (!ret)
        world_.name_identity(here);
    world_.check();
    return ret;
}

void CrashKernel::stop_queue(std::size_t unit) {
    takeover_stop_queue(&world_.units[unit]->core);
    world_.settle();
    world_.check();
}

// 5.1.5.1: what was fetched from the old table stays until it is invalidated.
int CrashKernel::remap(std::size_t index, bool x2apic) {
    World::Unit& unit = *world_.units[index];
    model::Unit& hardware = unit.hardware;
    const std::span<u64> table = world_.interrupt_table(unit);
    const int ret = takeover_adopt_irtes(&unit.core, table.data(), x2apic);
    world_.settle();
    world_.check(unit);

    const auto size = static_cast<u64>(std::countr_zero(table.size() / irte::words)) - 1;
    unit.x2apic = x2apic;
    unit.interrupts = World::Unit::Interrupts::either;
    hardware.write64(reg::irta, reinterpret_cast<u64>(table.data()) | irta::eime.make(x2apic) |
                                    irta::size.make(size));
    world_.check(unit);
    const u32 enabled = hardware.read32(reg::gsts) & ~command::one_shot;
    hardware.write32(reg::gcmd, enabled | command::sirtp);
    world_.trace.push_back(fmt::format("{}: interrupt table set", unit.name));
    world_.check(unit);
    [[maybe_unused]] const u32 status = hardware.read32(reg::gsts);
    assert(status & command::sirtp);
    world_.check(unit);
    world_.trace.push_back(fmt::format("{}: interrupt-entry cache invalidated", unit.name));
    hardware.caches().forget_interrupts();
    unit.interrupts = World::Unit::Interrupts::ours;
    world_.check(unit);
    return ret;
}

unsigned CrashKernel::interrupt(std::size_t index, Rid rid, u8 vector) {
    World::Unit& unit = *world_.units[index];
    const auto free = [&](unsigned at) {
        return !unit.reserved.contains(at) &&
               !(unit.interrupt_table[at * irte::words] & present.mask());
    };
    unsigned at = 0;
    while (!free(at))
        at++;
    u64* const entry = &unit.interrupt_table[at * irte::words];
    write(&entry[1],
          irte::sid.make(rid.value) | irte::svt.make(static_cast<u64>(irte::Svt::requester)));
    write(&entry[0], present.make(1) | irte::vector.make(vector));
    unit.hardware.caches().forget_interrupts({static_cast<u16>(at)}, 0);
    world_.check(unit);
    return at;
}

void CrashKernel::switch_pages(std::size_t index, unsigned order) {
    World::Unit& unit = *world_.units[index];
    u64* const queue = world_.allocate_in_a_row(std::size_t{1} << order);
    const u64 address = reinterpret_cast<u64>(queue);
    std::fill_n(queue, table_words << order, 0);
    world_.memory.flush({address}, page_size << order);
    world_.memory.drain();
    unit.pages.queue({address}, page_size << order);
    takeover_switch_pages(&unit.core, address | queue_address::size.make(order));
    world_.settle();
    world_.check(unit);
    unit.pages.changed(world_.memory);
    unit.pages.judge_silence(unit.hardware);
    unit.hardware.write32(reg::pectl, 0);
}

void CrashKernel::serve_pages(std::size_t index) {
    World::Unit& unit = *world_.units[index];
    model::Unit& hardware = unit.hardware;
    while (unit.pages.called(hardware)) {
        hardware.write32(reg::prs, page_request_status::ppr);
        const u64 pqa = hardware.read64(reg::pqa), tail = hardware.read64(reg::pqt);
        const u64 size = page_size << queue_address::size.in(pqa);
        for (u64 at = hardware.read64(reg::pqh); at != tail;
             at = (at + page_request::size) % size) {
            const Hpa entry{(pqa & queue_address::address.mask()) + at};
            const std::array words{world_.memory.load(entry), world_.memory.load(entry + 8)};
            namespace request = page_request;
            const bool with_pasid = request::has_pasid.of(words);
            if (!request::last.of(words) ||
                !(request::read.of(words) || request::write.of(words) || !with_pasid))
                continue;
            namespace desc = model::descriptor;
            hardware.invalidation().run(
                {desc::type.make(static_cast<u64>(desc::Type::group_response)) |
                     desc::response_pasid.make(with_pasid) |
                     desc::response_code.make(static_cast<u64>(Response::invalid)) |
                     desc::response_rid.make(request::rid.of(words)) |
                     desc::pasid.make(request::pasid.of(words)),
                 desc::response_group.make(request::group.of(words)), 0, 0});
        }
        hardware.write64(reg::pqh, tail);
        if (hardware.read32(reg::prs) & page_request_status::pro &&
            hardware.read64(reg::pqt) == tail)
            hardware.write32(reg::prs, page_request_status::pro);
    }
}

void CrashKernel::boot(takeover_mode mode) {
    learn();
    for (std::size_t unit = 0; unit < world_.units.size(); unit++)
        snapshot(unit);
    for (std::size_t unit = 0; unit < world_.units.size(); unit++)
        adopt(unit, mode);
    for (std::size_t unit = 0; unit < world_.units.size(); unit++)
        install(unit);
    for (std::size_t device = 0; device < world_.devices.size(); device++)
        probe(device);
}

void CrashKernel::probe(std::size_t index) {
    ::device& device = world_.devices[index];
    const bool held = takeover_holds_device(&world_.units[device.unit]->core, &device);
    world_.settle();
    if (!held)
        world_.prepare_ats(world_.function(world_.devices[index]));
}

int CrashKernel::release(std::size_t index) {
    ::device& device = world_.devices[index];
    World::Unit& unit = *world_.units[device.unit];
    const Locked held(world_, unit);

    world_.trace.push_back(fmt::format("release of device {}", index));
    for (const Rid rid : device.rids) {
        auto& stage = world_.requesters.at({device.unit, rid}).stage;
        if (stage == World::Stage::held)
            stage = World::Stage::releasing;
    }
    const int released = takeover_release_device(&unit.core, &device);
    world_.settle();
    if (released < 0) { // the attach fails, and nothing is mapped
        refused_.insert(index);
        return released;
    }
    for (const Rid rid : device.rids)
        world_.requesters.at({device.unit, rid}).stage = World::Stage::released;
    world_.check(unit);
    // What the probe left out.
    World::Function& function = world_.function(world_.devices[index]);
    world_.settled(function);
    if (!world_.description.devices[index].streams.empty())
        world_.switch_on(function, VTD_DEVICE_PASID);
    return released;
}

// Devices that share a requester id are one group, and groups have one domain.
CrashKernel::Domain& CrashKernel::domain_of(std::size_t index) {
    const auto& all = world_.description.devices;
    std::vector<bool> group(all.size());
    group[index] = true;
    for (bool grown = true; grown;) {
        grown = false;
        for (std::size_t i = 0; i < all.size(); i++)
            for (std::size_t j = 0; j < all.size() && !group[i]; j++)
                if (group[j] && all[i].unit == all[j].unit &&
                    std::ranges::find_first_of(all[i].rids, all[j].rids) != all[i].rids.end())
                    group[i] = grown = true;
    }
    for (auto& [device, domain] : domains_)
        if (group[device])
            return domain;

    World::Unit& unit = *world_.units[all[index].unit];
    takeover_spare_did(&unit.core);
    world_.settle();
    const int did = world_.new_did(unit);
    assert(did > 0);
    const Capabilities& can = unit.hardware.capabilities();
    Domain made{.did = {static_cast<u16>(did)},
                .top = table(),
                .first_stage = unit.core.scalable && can.first_stage(),
                .directory = nullptr,
                .pages = {}};
    domains_.emplace_back(index, made);
    return domains_.back().second;
}

// What the driver writes reaches the unit before the next thing is done.
void CrashKernel::write(u64* at, u64 value) {
    const u64 before = *at;
    *at = value;
    const Hpa word{reinterpret_cast<u64>(at)};
    world_.memory.stored(word, before);
    world_.memory.flush(word, sizeof(u64));
    world_.memory.drain();
}

u64* CrashKernel::table() {
    u64* const words = world_.allocate();
    assert(words);
    world_.memory.flush({reinterpret_cast<u64>(words)}, page_size);
    world_.memory.drain();
    return words;
}

void CrashKernel::put(Domain& domain, unsigned levels, Iova iova, Hpa page) {
    // Read and write of a second stage are present and writable of a first one; that one's tables
    // have to be a user's, too.
    const u64 bits = domain.first_stage ? first_stage::p.make(1) | first_stage::rw.make(1) |
                                              first_stage::us.make(1)
                                        : second_stage::r.make(1) | second_stage::w.make(1);
    u64* at = domain.top;
    for (unsigned level = levels; level > 1; level--) {
        u64* const slot = &at[iova.value >> level_shift(level) & 511];
        if (!*slot)
            write(slot, reinterpret_cast<u64>(table()) | bits);
        at = reinterpret_cast<u64*>(*slot & second_stage::address.mask());
    }
    write(&at[iova.value >> page_bits & 511], page.value | bits);
    domain.pages[iova] = {page, page_bits, true, true, domain.did};
}

void CrashKernel::enter(World::Unit& unit, const Domain& domain, Rid rid, unsigned aw, bool ats) {
    u64* entry = takeover_context_entry(&unit.core, rid.value);
    world_.settle();
    if (!entry) { // no table yet: the driver's own
        u64* const word = takeover_root_word(&unit.core, rid.value);
        world_.settle();
        write(word, reinterpret_cast<u64>(table()) | present.make(1));
        entry = takeover_context_entry(&unit.core, rid.value);
        world_.settle();
    }
    if (*entry & present.mask())
        return; // a device that shares the id was here
    if (unit.core.scalable) {
        write(&entry[1], 0);
        write(&entry[0], reinterpret_cast<u64>(domain.directory) | sm_context::dte.make(ats) |
                             present.make(1));
    } else {
        write(&entry[1], context::did.make(domain.did.value) | context::aw.make(aw));
        const auto type = ats ? context::Tt::all : context::Tt::untranslated;
        write(&entry[0], reinterpret_cast<u64>(domain.top) |
                             context::tt.make(static_cast<u64>(type)) | present.make(1));
    }
    // 6.1: what was not present may be cached.
    if (unit.hardware.capabilities().caching_mode()) {
        unit.hardware.caches().forget_contexts({0}, rid, 0, unit.core.scalable);
        unit.hardware.caches().forget_pages({0});
    }
}

void CrashKernel::fill(std::size_t index, Iova iova, Hpa page) {
    ::device& device = world_.devices[index];
    World::Unit& unit = *world_.units[device.unit];
    const Locked held(world_, unit);
    const unsigned aw = widest(unit.hardware.capabilities());

    if (refused_.contains(index))
        return;
    world_.trace.push_back(fmt::format("device {} maps {:#x}", index, iova.value));
    Domain& domain = domain_of(index);
    put(domain, domain.first_stage ? 4 : aw + aw_levels, iova, page);
    if (unit.core.scalable && !domain.directory) {
        u64* const entries = table();
        domain.directory = table();
        write(&domain.directory[0], reinterpret_cast<u64>(entries) | present.make(1));
        using namespace pasid_entry;
        write(&entries[1], did.make(domain.did.value));
        if (domain.first_stage)
            write(&entries[2], reinterpret_cast<u64>(domain.top));
        write(&entries[0],
              (domain.first_stage ? 0 : reinterpret_cast<u64>(domain.top)) |
                  pgtt.make(static_cast<u64>(domain.first_stage ? Pgtt::first : Pgtt::second)) |
                  pasid_entry::aw.make(aw) | present.make(1));
    }
    for (const Rid rid : device.rids)
        world_.requesters.at({device.unit, rid}).mapped = domain.pages;
    for (auto& [rid, who] : world_.requesters) // of the group
        if (rid.first == device.unit && !who.mapped.empty() &&
            who.mapped.begin()->second.did == domain.did)
            who.mapped = domain.pages;
    for (const Rid rid : device.rids) {
        enter(unit, domain, rid, aw, world_.description.devices[index].ats);
        world_.check(unit);
        world_.reaches(unit, rid, iova, page);
    }
    if (world_.description.devices[index].ats) {
        world_.switch_on(world_.function(world_.devices[index]), VTD_DEVICE_ATS);
        world_.check(unit);
    }
}

void CrashKernel::map(std::size_t device, Iova iova, Hpa page) {
    release(device);
    fill(device, iova, page);
}

void CrashKernel::map_in_steps(std::span<const std::size_t> order) {
    std::set<std::size_t> begun;
    for (const std::size_t device : order) {
        if (begun.insert(device).second)
            release(device);
        else
            fill(device, {0x1000}, default_page);
    }
}

} // namespace vtd::harness
