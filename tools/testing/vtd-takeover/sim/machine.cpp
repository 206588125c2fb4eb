// SPDX-License-Identifier: GPL-2.0-only
//
// See machine.h.

#include "sim/machine.h"

#include "world/description.h"

namespace vtd::sim {

namespace {

// The tables as they are, whatever caches hold.
class Tables final : public Source {
public:
    explicit Tables(const Memory& memory) : memory_(memory) {}
    std::optional<u64> word(Table, Hpa at) override {
        if (memory_.owner(at) == Owner::nobody)
            return {};
        return memory_.load(at);
    }

private:
    const Memory& memory_;
};

Hpa page_of(Hpa at) { return {at.value & ~(page_size - 1)}; }

} // namespace

Losses& Losses::operator+=(const Losses& more) {
    dumps += more.dumps;
    crash_pages += more.crash_pages;
    old_pages += more.old_pages;
    old_changed += more.old_changed;
    blocks_nulled += more.blocks_nulled;
    blocks_garbled += more.blocks_garbled;
    aborts += more.aborts;
    dead += more.dead;
    return *this;
}

bool Losses::none() const {
    return !(dumps || crash_pages || old_pages || old_changed || blocks_nulled || blocks_garbled ||
             aborts || dead);
}

Machine::Machine(const Scene& of)
    : scene(of), world(of.description), kernel(world), states_(of.description.devices.size()) {}

Machine::Ended Machine::send(std::size_t device, const Request& request) const {
    const model::Unit& hardware = world.units[scene.description.devices[device].unit]->hardware;
    Hpa at{request.iova.value};
    if (hardware.translates()) {
        Tables tables(world.memory);
        const Hardware unit{hardware.capabilities(), *hardware.roots().begin()};
        const Outcome outcome = translate(unit, request, tables);
        const auto* page = std::get_if<Translation>(&outcome);
        if (!page)
            return {};
        at = world::target(*page, request.iova);
    }
    if (world.memory.owner(at) == Owner::nobody)
        return {};
    return {at};
}

void Machine::fly(std::size_t device, const Request& request, Hpa meant) {
    const Ended ended = send(device, request);
    if (!ended.at) {
        losses_.aborts += !states_[device].taken;
        if (role(device).fragile)
            states_[device].dead = true;
        return;
    }
    if (page_of(*ended.at) == page_of(meant))
        return;
    const bool absorbed = scratch_ && page_of(*ended.at) == *scratch_;
    if (request.access == Access::read) {
        if (!role(device).disk)
            return;
        if (absorbed)
            losses_.blocks_nulled++;
        else
            losses_.blocks_garbled++;
        return;
    }
    if (absorbed || !hit_.insert(page_of(*ended.at)).second)
        return;
    if (world.memory.owner(*ended.at) == Owner::crash_kernel)
        losses_.crash_pages++;
    else
        losses_.old_pages++;
}

void Machine::round() {
    for (std::size_t device = 0; device < devices(); device++) {
        if (!states_[device].flying || states_[device].dead)
            continue;
        const world::Device& of = scene.description.devices[device];
        const world::Domain& domain = scene.description.domains[of.domain];
        for (const world::Page& page : domain.pages) {
            for (const Access access : {Access::read, Access::write}) {
                if (!(access == Access::read ? page.read : page.write))
                    continue;
                if (states_[device].dead)
                    return;
                fly(device, {.rid = of.rids.front(), .iova = page.iova, .access = access}, page.to);
            }
        }
    }
}

bool Machine::reset(std::size_t device) {
    states_[device].flying = false;
    return !states_[device].dead;
}

bool Machine::use(std::size_t device, Iova iova, Hpa page) {
    const Rid rid = scene.description.devices[device].rids.front();
    State& state = states_[device];
    for (const Access access : {Access::read, Access::write}) {
        const Ended ended = send(device, {.rid = rid, .iova = iova, .access = access});
        if (state.dead || !ended.at || page_of(*ended.at) != page)
            return false;
    }
    return state.works = true;
}

Losses Machine::finish() {
    bool saved = losses_.crash_pages == 0;
    for (std::size_t device = 0; device < devices(); device++) {
        losses_.dead += !states_[device].works;
        saved = saved && (states_[device].works || !role(device).dump);
    }
    losses_.dumps = !saved;
    return losses_;
}

} // namespace vtd::sim
