// SPDX-License-Identifier: GPL-2.0-only
//
// See description.h.

#include "world/description.h"

#include <algorithm>
#include <array>
#include <ostream>

#include <fmt/format.h>

namespace vtd::world {

namespace {

// Where the kdump kernel's memory begins and ends.
constexpr std::array borders{crash_memory,     crash_memory + crash_memory_distance,
                             interrupt_memory, interrupt_memory + interrupt_memory_size,
                             core_header,      core_header + page_size};

const Page* page_at(const Domain& domain, Iova iova) {
    const auto found = std::ranges::find_if(domain.pages, [=](const Page& page) {
        return (iova.value ^ page.iova.value) >> page.bits == 0;
    });
    return found == domain.pages.end() ? nullptr : &*found;
}

// Of first-stage tables none is without the right to read.
bool readable(const Domain& domain, const Page& page) {
    return page.read || domain.paging == Paging::first || domain.paging == Paging::nested;
}

std::optional<Translation> expected(const Domain& domain, Iova iova, Access access) {
    if (domain.paging == Paging::pass_through)
        return Translation{
            {iova.value & ~(page_size - 1)}, page_bits, true, true, domain.did, true};
    const Page* page = page_at(domain, iova);
    if (!page || !(access == Access::read ? readable(domain, *page) : page->write))
        return {};
    return Translation{page->to, page->bits, readable(domain, *page), page->write, domain.did};
}

void add(std::vector<Dma>& all, std::size_t device, Rid rid, std::optional<Pasid> pasid,
         const Domain& domain, Iova iova) {
    for (const Access access : {Access::read, Access::write}) {
        const Request request{.rid = rid, .iova = iova, .access = access, .pasid = pasid};
        if (std::ranges::none_of(all, [&](const Dma& dma) { return dma.request == request; }))
            all.push_back({device, request, expected(domain, iova, access)});
    }
}

} // namespace

std::vector<Dma> dma_in_flight(const Description& description) {
    std::vector<Dma> all;
    for (std::size_t i = 0; i < description.devices.size(); i++) {
        const Device& device = description.devices[i];
        const auto stream = [&](Rid rid, std::optional<Pasid> pasid, const Domain& domain) {
            for (const Page& page : domain.pages) {
                const u64 last = page.iova.value + (u64{1} << page.bits) - page_size;
                for (const u64 at : {page.iova.value, last, last + page_size})
                    add(all, i, rid, pasid, domain, {at});
                for (const Hpa border : borders)
                    for (const u64 at : {border.value - page_size, border.value})
                        if (at - page.to.value < u64{1} << page.bits)
                            add(all, i, rid, pasid, domain,
                                {page.iova.value + (at - page.to.value)});
            }
        };
        for (const Rid rid : device.rids) {
            stream(rid, {}, description.domains[device.domain]);
            for (const Stream& more : device.streams)
                stream(rid, more.pasid, description.domains[more.domain]);
        }
    }
    return all;
}

std::ostream& operator<<(std::ostream& out, const Description& description) {
    constexpr std::array pagings{"second stage", "first stage", "nested", "pass-through"};
    constexpr std::array places{"RTADDR", "root",   "context", "directory",
                                "PASID",  "paging", "pointer"};
    for (const Unit& unit : description.units)
        out << fmt::format("unit: {}, CAP {:#x} ECAP {:#x}\n",
                           unit.scalable ? "scalable" : "legacy", unit.capabilities.cap,
                           unit.capabilities.ecap);
    for (const Domain& domain : description.domains) {
        out << fmt::format("domain: id {}, {}, {} levels:", domain.did.value,
                           pagings[static_cast<std::size_t>(domain.paging)], domain.levels);
        for (const Page& page : domain.pages)
            out << fmt::format(" {:#x}+{:#x}->{:#x}{}{}", page.iova.value, u64{1} << page.bits,
                               page.to.value, page.read ? "r" : "", page.write ? "w" : "");
        out << '\n';
    }
    for (const Device& device : description.devices) {
        out << fmt::format("device: unit {}, domain {}{}{}, as", device.unit, device.domain,
                           device.ats ? ", ATS" : "", device.reserved ? ", RMRR" : "");
        for (const Rid rid : device.rids)
            out << fmt::format(" {:02x}:{:02x}.{}", rid.bus(), rid.devfn() >> 3, rid.devfn() & 7);
        if (device.rid_pasid.value)
            out << fmt::format(", RID_PASID {:#x}", device.rid_pasid.value);
        for (const Stream& stream : device.streams)
            out << fmt::format(", PASID {:#x} in {}", stream.pasid.value, stream.domain);
        out << '\n';
    }
    for (const Damage& damage : description.damage)
        out << fmt::format("damage: {} of device {}, word {}: & {:#x} | {:#x}\n",
                           places[static_cast<std::size_t>(damage.where)], damage.device,
                           damage.word, damage.keep, damage.put);
    return out;
}

} // namespace vtd::world
