// SPDX-License-Identifier: GPL-2.0-only
//
// See random.h.

#include "world/random.h"

#include <algorithm>
#include <iterator>
#include <ostream>

#include <fmt/format.h>

namespace vtd::world {

namespace {

bool flip() { return *rc::gen::arbitrary<bool>(); }
template <class T> T below(T end) { return *rc::gen::inRange<T>(0, end); }
template <class T> T one_of(std::vector<T> all) { return *rc::gen::elementOf(std::move(all)); }

constexpr u64 bit(unsigned n) { return u64{1} << n; }

// One of those that are given, in a mode that it has.
Unit given_unit(const std::vector<Capabilities>& units, bool alone) {
    std::vector<Capabilities> all;
    std::ranges::copy_if(units, std::back_inserter(all), [=](const Capabilities& can) {
        return alone || !can.write_buffer(); // see below
    });
    const Capabilities can = one_of(all);
    return {can, can.scalable() && can.second_stage() && flip()};
}

// 11.4.2, 11.4.3. What units have in common: 48 bits, fault records, device-TLBs, pass-through.
Unit unit(const Scope& scope, bool alone) {
    if (!scope.units.empty() && flip())
        return given_unit(scope.units, alone);

    const bool scalable = flip();
    const bool coherent = flip();
    // The buffer of one chipset cannot be told from another's.
    const bool write_buffer = alone && flip();
    const unsigned ids = one_of<unsigned>({2, 1, 0}); // 256, 64, 16
    const bool first = flip();
    const bool wide = flip(); // 57 bits
    const u64 cap = ids | u64{write_buffer} << 4 | u64{flip()} << 7 | bit(9) | bit(10) |
                    u64{wide} << 11 | (wide ? u64{56} : u64{47}) << 16 | u64{flip()} << 22 |
                    u64{0x40} << 24 | bit(34) | bit(35) | u64{first} << 56 |
                    u64{first && wide} << 60 | u64{flip()} << 63;
    const u64 ecap = u64{coherent} | bit(2) | bit(6) | u64{first} << 26 | bit(40) | bit(43) |
                     bit(46) | u64{first} << 47 | u64{coherent} << 48 | u64{flip()} << 49;
    return {{.cap = cap, .ecap = ecap, .host_width = 39}, scalable};
}

std::vector<unsigned> sizes(const Capabilities& can, Paging paging) {
    std::vector<unsigned> all{page_bits};
    if (paging == Paging::nested)
        return all;
    const bool first = paging == Paging::first;
    if (first || can.large_second(2))
        all.push_back(21);
    if (first ? can.first_1g() : can.large_second(3))
        all.push_back(30);
    return all;
}

std::vector<unsigned> depths(const Capabilities& can, Paging paging) {
    if (paging == Paging::pass_through) // asks for a width, too
        return {can.walks(2) ? 4U : 3U};
    std::vector<unsigned> all;
    if (paging == Paging::second && can.walks(1))
        all.push_back(3);
    if (paging == Paging::first || can.walks(2))
        all.push_back(4);
    // The second stage of a nested pair is as deep as the first.
    if (can.walks(3) && (paging == Paging::second || can.first_5_levels()))
        all.push_back(5);
    return all;
}

// Each in a gigabyte of its own, so that pages do not overlap.
Page page(const Capabilities& can, const Domain& domain, unsigned number) {
    const unsigned bits = one_of(sizes(can, domain.paging));
    Page page{.iova = {u64{number} << 30}, .to = {}, .bits = bits};
    switch (bits) {
    case page_bits:
        page.iova.value += below<u64>(512) << page_bits;
        page.to = first_target + (below<u64>(64) << page_bits);
        break;
    case 21:
        page.iova.value += below<u64>(512) << 21;
        page.to = first_target + (below<u64>(8) << 21);
        break;
    default:
        page.to = {0x140000000}; // no memory there
    }
    if (domain.paging == Paging::pass_through)
        return {{page.to.value}, page.to};
    page.write = flip();
    page.read = !page.write || flip();
    return page;
}

Domain domain(const Unit& unit, Did did) {
    const Capabilities& can = unit.capabilities;
    std::vector kinds{Paging::second};
    if (can.pass_through())
        kinds.push_back(Paging::pass_through);
    if (unit.scalable && can.first_stage())
        kinds.push_back(Paging::first);
    if (unit.scalable && can.first_stage() && can.nested())
        kinds.push_back(Paging::nested);
    Domain domain{.did = did, .paging = one_of(kinds)};
    domain.levels = one_of(depths(can, domain.paging));

    const unsigned pages = 1 + below(3U);
    for (unsigned n = 0; n < pages; n++)
        domain.pages.push_back(page(can, domain, n));
    return domain;
}

Damage damage(const Description& description) {
    using enum Damage::Where;
    constexpr u64 address = ~u64{0} << page_bits;
    Damage damage{.where = *rc::gen::elementOf(std::vector{rtaddr, root, context, directory, pasid,
                                                           paging, Damage::Where::pointer}),
                  .device = below(description.devices.size())};
    const std::vector<u64> places{0,
                                  registers.value,
                                  firmware_memory.value,
                                  old_memory.value,
                                  first_target.value,
                                  old_memory.value + old_memory_size - page_size,
                                  crash_memory.value,
                                  bit(45),
                                  address};
    if (damage.where == rtaddr || flip()) {
        damage.keep = ~address;
        damage.put = one_of(places);
    } else {
        damage.word = below(2U);
        damage.put = bit(below(64U));
        damage.keep = ~damage.put;
        if (flip())
            damage.put = 0;
    }
    return damage;
}

} // namespace

rc::Gen<Plan> plans(const Scope& scope) {
    return rc::gen::exec([=] {
        Plan plan;
        Description& description = plan.description;
        const std::size_t units = 1 + below(2U);
        for (std::size_t i = 0; i < units; i++)
            description.units.push_back(unit(scope, units == 1));

        std::vector<std::vector<std::size_t>> domains_of(units);
        for (std::size_t i = 0; i < units; i++) {
            const unsigned domains = 1 + below(3U);
            for (unsigned n = 0; n < domains; n++) {
                // The ids that a kernel gives away first, now and then one from the end.
                const unsigned last = description.units[i].capabilities.domain_ids() - 1;
                const Did did{static_cast<u16>(below(5U) ? n + 2 : last - n)};
                domains_of[i].push_back(description.domains.size());
                description.domains.push_back(domain(description.units[i], did));
            }
        }

        const unsigned devices = 1 + below(3U);
        for (unsigned n = 0; n < devices; n++) {
            Device device{.unit = below(units), .rids = {}, .domain = 0};
            device.domain = *rc::gen::elementOf(domains_of[device.unit]);
            const unsigned bus = static_cast<unsigned>(device.unit) * 8 + below(3U);
            device.rids.push_back(Rid::of(bus, 2 * n + (flip() ? 16 : 1), below(8U)));
            // Behind a bridge the bus sees its id as well, in the same domain.
            const auto earlier = std::ranges::find_if(description.devices, [&](const Device& d) {
                return d.unit == device.unit && d.rids.size() > 1;
            });
            if (!below(3U) &&
                (earlier == description.devices.end() || earlier->domain == device.domain))
                device.rids.push_back(Rid::of(static_cast<unsigned>(device.unit) * 8 + 5, 0, 0));
            // Neither ATS nor PASIDs pass a bridge.
            const bool direct = device.rids.size() == 1;
            const Unit& unit = description.units[device.unit];
            device.ats = direct && unit.capabilities.device_tlb() && flip() &&
                         description.domains[device.domain].paging != Paging::pass_through;
            if (unit.scalable && unit.capabilities.rid_pasid())
                device.rid_pasid = {one_of<u32>({0, 3, 65, 777})};
            if (scope.streams && direct && unit.scalable && unit.capabilities.pasid())
                for (unsigned stream = below(3U); stream; stream--)
                    device.streams.push_back({{stream * one_of<u32>({1, 64, 1000})},
                                              *rc::gen::elementOf(domains_of[device.unit])});
            description.devices.push_back(device);
        }
        if (scope.damage)
            description.damage.push_back(damage(description));
        if (scope.failures)
            plan.failing_allocation = 1 + below(6U);
        plan.block = !below(4U);

        for (unsigned steps = below(3 * devices + 1); steps; steps--)
            plan.steps.push_back(below(description.devices.size()));
        return plan;
    });
}

std::ostream& operator<<(std::ostream& out, const Plan& plan) {
    out << plan.description;
    if (plan.block)
        out << "nothing is adopted\n";
    if (plan.failing_allocation)
        out << fmt::format("allocation {} fails\n", plan.failing_allocation);
    out << "steps of devices:";
    for (const std::size_t device : plan.steps)
        out << ' ' << device;
    return out << '\n';
}

} // namespace vtd::world
