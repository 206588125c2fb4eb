// SPDX-License-Identifier: GPL-2.0-only
//
// See hardware.h.

#include "harness/hardware.h"

#include <algorithm>
#include <array>
#include <fstream>
#include <regex>
#include <set>
#include <sstream>
#include <stdexcept>

namespace vtd {

namespace {

// Of a line of units.tsv.
enum Column : std::size_t {
    machine,
    host_width = 3,
    phys_bits = 4,
    cap = 9,
    ecap = 10,
    columns = 13
};

std::vector<std::string> split(const std::string& line) {
    std::vector<std::string> all;
    std::istringstream in(line);
    for (std::string one; std::getline(in, one, '\t');)
        all.push_back(one);
    return all;
}

// "-" is what nobody has seen.
unsigned number_or(const std::string& text, unsigned otherwise) {
    unsigned value = 0;
    return std::istringstream(text) >> value ? value : otherwise;
}

// "[ep 00:14.0, br 00:1c.0, ioapic#2 f0:1f.0]": endpoints and bridges; the others do no DMA of
// theirs.
std::vector<model::Rid> devices_in(const std::string& scopes) {
    static const std::regex device("(?:ep|br) ([0-9a-f]+):([0-9a-f]+)\\.([0-7])");
    std::vector<model::Rid> all;
    for (std::sregex_iterator at(scopes.begin(), scopes.end(), device), end; at != end; ++at) {
        const auto number = [&](std::size_t n) {
            return static_cast<unsigned>(std::stoul((*at)[n], nullptr, 16));
        };
        all.push_back(model::Rid::of(number(1), number(2), number(3)));
    }
    return all;
}

} // namespace

std::vector<RealUnit> real_units(const std::string& path) {
    std::ifstream in(path);
    std::string line;
    if (!std::getline(in, line))
        throw std::runtime_error("cannot read " + path);
    std::vector<RealUnit> all;
    while (std::getline(in, line)) {
        const auto fields = split(line);
        if (fields.size() != columns)
            throw std::runtime_error(path + " has a line of " + std::to_string(fields.size()) +
                                     " fields: " + line);
        RealUnit unit{.machine = fields[machine], .capabilities = {}};
        unit.capabilities.cap = std::stoull(fields[cap], nullptr, 16);
        unit.capabilities.ecap = std::stoull(fields[ecap], nullptr, 16);
        // Where nobody has seen it: a server's of its time, or what the unit has room for.
        const unsigned seen =
            std::max(number_or(fields[host_width], 0), number_or(fields[phys_bits], 0));
        unit.address_bits = seen ? seen : std::min(unit.capabilities.max_guest_width(), 46U);
        unit.capabilities.host_width = unit.address_bits;
        unit.hardware = line.find("QEMU") == line.npos;
        all.push_back(std::move(unit));
    }
    return all;
}

std::string shape(const RealUnit& unit) {
    const model::Capabilities& can = unit.capabilities;
    std::ostringstream out;
    const std::array properties{std::pair{"C", can.coherent()},
                                std::pair{"QI", can.queue()},
                                std::pair{"RWBF", can.write_buffer()},
                                std::pair{"CM", can.caching_mode()},
                                std::pair{"2M", can.large_second(2)},
                                std::pair{"1G", can.large_second(3)},
                                std::pair{"39", can.walks(1)},
                                std::pair{"48", can.walks(2)},
                                std::pair{"57", can.walks(3)},
                                std::pair{"PT", can.pass_through()},
                                std::pair{"ZLR", can.zero_length_reads()},
                                std::pair{"DT", can.device_tlb()},
                                std::pair{"SMTS", can.scalable()},
                                std::pair{"ESRTPS", can.flushes_on_srtp()}};
    for (const auto& [name, is] : properties)
        if (is)
            out << name << ' ';
    out << "MGAW " << can.max_guest_width() << ' ' << can.domain_ids() << " ids";
    return out.str();
}

std::size_t DmarTable::unit_of(model::Rid device) const {
    const auto has = [=](const Unit& unit) {
        return std::ranges::find(unit.devices, device) != unit.devices.end();
    };
    auto found = std::ranges::find_if(units, has);
    if (found == units.end())
        found = std::ranges::find_if(units, &Unit::all);
    return static_cast<std::size_t>(found - units.begin());
}

std::vector<DmarTable> dmar_tables(const std::string& path) {
    static const std::regex structure(
        "(DRHD|RMRR) 0x([0-9a-f]+)(?:-0x([0-9a-f]+))?( all)? \\[([^\\]]*)\\]");
    enum Column : std::size_t { vendor = 1, model, width, structures = 5, columns };
    std::ifstream in(path);
    std::string line;
    std::vector<DmarTable> all;
    while (std::getline(in, line)) {
        const auto fields = split(line);
        if (line.starts_with('#') || line.starts_with("class\t"))
            continue;
        if (fields.size() != columns)
            throw std::runtime_error(path + " has a line of " + std::to_string(fields.size()) +
                                     " fields: " + line);
        DmarTable& table = all.emplace_back();
        table.machine = fields[vendor] + ' ' + fields[model];
        table.host_width = number_or(fields[width], 0);
        const std::string& text = fields[structures];
        for (std::sregex_iterator at(text.begin(), text.end(), structure), end; at != end; ++at) {
            const std::smatch& found = *at;
            const auto devices = devices_in(found[5]);
            if (found[1] == "DRHD")
                table.units.push_back({found[4].matched, devices});
            else
                table.reserved.push_back({std::stoull(found[2], nullptr, 16),
                                          std::stoull(found[3], nullptr, 16), devices});
        }
    }
    if (all.empty())
        throw std::runtime_error("cannot read " + path);
    return all;
}

std::vector<RealUnit> shapes(const std::vector<RealUnit>& units) {
    std::set<std::string> seen;
    std::vector<RealUnit> all;
    for (const RealUnit& unit : units)
        if (seen.insert(shape(unit)).second)
            all.push_back(unit);
    return all;
}

} // namespace vtd
