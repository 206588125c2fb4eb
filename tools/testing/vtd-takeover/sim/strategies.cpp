// SPDX-License-Identifier: GPL-2.0-only
//
// See strategies.h. Between two things that a program does to a unit the devices get a round.

#include "sim/strategies.h"

#include <fmt/format.h>

#include "model/registers.h"

namespace vtd::sim {

namespace {

// Where the kdump kernel's drivers have their buffers, and by which addresses.
constexpr Hpa buffers = CrashKernel::default_page;
constexpr Iova first_iova{0x1000};

Hpa buffer(std::size_t device) { return buffers + device * page_size; }

// Tables of the kdump kernel's, written by a program.
class Tables {
public:
    explicit Tables(Machine& machine) : machine_(machine) {}

    Hpa page() {
        const Hpa at{reinterpret_cast<u64>(machine_.world.allocate())};
        flush(at);
        return at;
    }
    void put(Hpa at, u64 value) {
        machine_.world.memory.store(at, value);
        flush(at);
    }
    u64 get(Hpa at) const { return machine_.world.memory.load(at); }
    void copy(Hpa from, Hpa to) {
        for (u64 offset = 0; offset < page_size; offset += sizeof(u64))
            put(to + offset, get(from + offset));
    }

    Hpa context_table(Hpa root, Rid rid) {
        const Hpa at = root + rid.bus() * root::words * sizeof(u64);
        if (!(get(at) & present.mask()))
            put(at, page().value | present.make(1));
        return {get(at) & root::ctp.mask()};
    }
    static Hpa entry(Hpa table, Rid rid) {
        return table + rid.devfn() * context::words * sizeof(u64);
    }
    void enter(Hpa root, Rid rid, Hpa top, unsigned aw, u16 did) {
        const Hpa at = entry(context_table(root, rid), rid);
        put(at + sizeof(u64), context::aw.make(aw) | context::did.make(did));
        put(at, top.value | present.make(1));
    }
    void map(Hpa top, unsigned levels, Iova iova, Hpa page_at) {
        constexpr u64 both = second_stage::r.make(1) | second_stage::w.make(1);
        Hpa at = top;
        for (unsigned level = levels; level > 1; level--) {
            const Hpa slot = at + (iova.value >> level_shift(level) & 511) * sizeof(u64);
            if (!get(slot))
                put(slot, page().value | both);
            at = {get(slot) & second_stage::address.mask()};
        }
        put(at + (iova.value >> page_bits & 511) * sizeof(u64), page_at.value | both);
    }

private:
    void flush(Hpa at) {
        machine_.world.memory.flush(at, page_size);
        machine_.world.memory.drain();
    }
    Machine& machine_;
};

constexpr unsigned levels = 4, aw = levels - aw_levels; // 48 bits, which every unit here has

const std::vector<Rid>& rids(const Machine& machine, std::size_t device) {
    return machine.scene.description.devices[device].rids;
}

void command(Machine& machine, std::size_t unit, u32 bits) {
    model::Unit& hardware = machine.world.units[unit]->hardware;
    hardware.write32(reg::gcmd, bits);
    (void)hardware.read32(reg::gsts);
}

void switch_off(Machine& machine) {
    for (std::size_t unit = 0; unit < machine.world.units.size(); unit++)
        command(machine, unit, 0);
    machine.round();
}

void set_roots(Machine& machine, const std::vector<Hpa>& roots, bool on) {
    for (std::size_t unit = 0; unit < roots.size(); unit++) {
        machine.world.units[unit]->hardware.write64(reg::rtaddr, roots[unit].value);
        command(machine, unit, command::srtp | (on ? command::translation : 0));
        command(machine, unit, command::translation);
    }
    machine.round();
}

std::vector<Hpa> empty_roots(Machine& machine, Tables& tables) {
    std::vector<Hpa> roots(machine.world.units.size());
    for (Hpa& root : roots)
        root = tables.page();
    return roots;
}

// Old root and context tables, copied; what they lead to stays where it is.
std::vector<Hpa> copied_roots(Machine& machine, Tables& tables) {
    std::vector<Hpa> roots = empty_roots(machine, tables);
    for (std::size_t unit = 0; unit < roots.size(); unit++) {
        const u64 old = *machine.world.units[unit]->hardware.roots().begin();
        for (unsigned bus = 0; bus < 256; bus++) {
            const Hpa slot{bus * root::words * sizeof(u64)};
            const u64 word = tables.get(Hpa{rtaddr::address.mask() & old} + slot.value);
            if (!(word & present.mask()))
                continue;
            const Hpa table = tables.page();
            tables.copy({word & root::ctp.mask()}, table);
            tables.put(roots[unit] + slot.value, table.value | present.make(1));
        }
    }
    return roots;
}

// Drivers, one after the other. `map` lets a device reach its buffer by an address; some do that
// before they reset.
void drivers(Machine& machine, const std::function<Iova(std::size_t device, Hpa page)>& map) {
    for (std::size_t device = 0; device < machine.devices(); device++) {
        const bool early = machine.role(device).maps_early;
        if (!early && !machine.reset(device))
            continue;
        const Iova iova = map(device, buffer(device));
        machine.taken(device);
        machine.round();
        if (early && !machine.reset(device))
            continue;
        machine.use(device, iova, buffer(device));
    }
}

// Each device gets a table of its own in a root of the kdump kernel's.
Iova own_table(Machine& machine, Tables& tables, const std::vector<Hpa>& roots, std::size_t device,
               Hpa page) {
    const Hpa top = tables.page();
    tables.map(top, levels, first_iova, page);
    for (const Rid rid : rids(machine, device))
        tables.enter(roots[machine.scene.description.devices[device].unit], rid, top, aw,
                     static_cast<u16>(100 + device));
    return first_iova;
}

Losses off(const Scene& scene) {
    Machine machine(scene);
    machine.round();
    switch_off(machine);
    drivers(machine, [](std::size_t, Hpa page) { return Iova{page.value}; });
    return machine.finish();
}

Losses block(const Scene& scene) {
    Machine machine(scene);
    Tables tables(machine);
    machine.round();
    const auto roots = empty_roots(machine, tables);
    set_roots(machine, roots, true);
    drivers(machine, [&](std::size_t device, Hpa page) {
        return own_table(machine, tables, roots, device, page);
    });
    return machine.finish();
}

Losses scratch(const Scene& scene) {
    Machine machine(scene);
    Tables tables(machine);
    machine.round();
    const Hpa page = tables.page();
    machine.scratch(page);
    const auto roots = empty_roots(machine, tables);
    // Every slot of every level leads on: one page of each.
    constexpr u64 both = second_stage::r.make(1) | second_stage::w.make(1);
    Hpa below = page;
    for (unsigned level = 1; level <= levels; level++) {
        const Hpa table = tables.page();
        for (u64 slot = 0; slot < page_size; slot += sizeof(u64))
            tables.put(table + slot, below.value | both);
        below = table;
    }
    for (std::size_t device = 0; device < machine.devices(); device++)
        for (const Rid rid : rids(machine, device))
            tables.enter(roots[scene.description.devices[device].unit], rid, below, aw, 99);
    set_roots(machine, roots, true);
    drivers(machine, [&](std::size_t device, Hpa at) {
        return own_table(machine, tables, roots, device, at);
    });
    return machine.finish();
}

Losses off_and_on(const Scene& scene) {
    Machine machine(scene);
    Tables tables(machine);
    machine.round();
    switch_off(machine);
    const auto roots = empty_roots(machine, tables);
    set_roots(machine, roots, false);
    drivers(machine, [&](std::size_t device, Hpa page) {
        return own_table(machine, tables, roots, device, page);
    });
    return machine.finish();
}

// The old mappings live on, and the drivers' addresses are physical: what Linux does when it is
// told iommu=pt.
Losses keep(const Scene& scene) {
    Machine machine(scene);
    Tables tables(machine);
    machine.round();
    set_roots(machine, copied_roots(machine, tables), true);
    drivers(machine, [](std::size_t, Hpa page) { return Iova{page.value}; });
    return machine.finish();
}

// As it was first proposed: the tables are used where they are.
Losses in_place(const Scene& scene) {
    Machine machine(scene);
    Tables tables(machine);
    machine.round();
    drivers(machine, [&](std::size_t device, Hpa page) {
        const Hpa top = tables.page();
        tables.map(top, levels, first_iova, page);
        const std::size_t unit = scene.description.devices[device].unit;
        const u64 root = *machine.world.units[unit]->hardware.roots().begin();
        for (const Rid rid : rids(machine, device)) {
            tables.enter({rtaddr::address.mask() & root}, rid, top, aw,
                         static_cast<u16>(100 + device));
            machine.old_changed();
            machine.old_changed();
        }
        return first_iova;
    });
    return machine.finish();
}

// New mappings beside the old ones, in copies of the page tables; the kdump kernel begins with the
// addresses that its allocator gives first, and does not know which are in use.
Losses beside(const Scene& scene) {
    Machine machine(scene);
    Tables tables(machine);
    machine.round();
    const auto roots = copied_roots(machine, tables);
    set_roots(machine, roots, true);
    const std::function<Hpa(Hpa, unsigned)> deep = [&](Hpa from, unsigned level) {
        const Hpa to = tables.page();
        tables.copy(from, to);
        for (u64 slot = 0; level > 1 && slot < page_size; slot += sizeof(u64)) {
            const u64 word = tables.get(to + slot);
            if (!word || second_stage::ps.in(word))
                continue;
            const u64 bits = word & ~second_stage::address.mask();
            const Hpa below = deep({word & second_stage::address.mask()}, level - 1);
            tables.put(to + slot, below.value | bits);
        }
        return to;
    };
    drivers(machine, [&](std::size_t device, Hpa page) {
        const world::Device& of = scene.description.devices[device];
        const world::Domain& domain = scene.description.domains[of.domain];
        if (domain.paging == world::Paging::pass_through)
            return Iova{page.value};
        const Iova iova = domain.pages.empty() ? first_iova : domain.pages.front().iova;
        const Hpa at =
            Tables::entry(tables.context_table(roots[of.unit], of.rids.front()), of.rids.front());
        const Hpa top = deep({tables.get(at) & context::ssptptr.mask()}, domain.levels);
        tables.map(top, domain.levels, iova, page);
        for (const Rid rid : of.rids) {
            const Hpa entry = Tables::entry(tables.context_table(roots[of.unit], rid), rid);
            tables.put(entry, (tables.get(entry) & ~context::ssptptr.mask()) | top.value);
        }
        return iova;
    });
    return machine.finish();
}

// Where there is a way; then as in 4.
Losses reset_all(const Scene& scene) {
    Machine machine(scene);
    Tables tables(machine);
    machine.round();
    for (std::size_t device = 0; device < machine.devices(); device++)
        if (machine.role(device).resets)
            machine.reset(device);
    switch_off(machine);
    const auto roots = empty_roots(machine, tables);
    set_roots(machine, roots, false);
    drivers(machine, [&](std::size_t device, Hpa page) {
        return own_table(machine, tables, roots, device, page);
    });
    return machine.finish();
}

// drivers/iommu/intel/takeover, and what intel-iommu does around it.
Losses takeover(const Scene& scene) {
    Machine machine(scene);
    machine.round();
    machine.kernel.boot();
    machine.round();
    drivers(machine, [&](std::size_t device, Hpa page) {
        machine.kernel.map(device, first_iova, page);
        return first_iova;
    });
    return machine.finish();
}

constexpr Strategy all[] = {
    {"1", "switch the IOMMU off", off},
    {"2", "block all DMA", block},
    {"3", "everything to one scratch page", scratch},
    {"4", "off, set up anew, on again", off_and_on},
    {"5", "keep the old mappings, never swap", keep},
    {"5, 6", "the same tables, swap in place", in_place},
    {"7", "new mappings beside the old", beside},
    {"8", "reset what can be reset, then 4", reset_all},
    {"5, 6", "copy, swap at the first mapping: this", takeover},
};

} // namespace

std::span<const Strategy> strategies() { return all; }

} // namespace vtd::sim
