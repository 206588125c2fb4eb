// SPDX-License-Identifier: GPL-2.0-only
//
// See scenes.h.

#include "sim/scenes.h"

#include <algorithm>
#include <charconv>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "tests/worlds.h"

namespace vtd::sim {

namespace {

using nlohmann::json;

// Addresses below 4 GiB, as Linux gives them from the top down; no memory is there.
constexpr u64 usual = 0xfffff000;
// Addresses that a device with 64 bits may be given, and that are somebody's memory.
constexpr u64 in_crash_kernel = world::crash_memory.value + (4 << 20);
constexpr u64 in_old_kernel = world::first_target.value + (8 << 20);

world::Page page(u64 iova, unsigned target, bool read = true, bool write = true) {
    return {{iova}, target_page(target), page_bits, read, write};
}

Description machine(std::vector<world::Domain> domains, std::vector<world::Device> devices) {
    const Variant plain{.scalable = false,
                        .coherent = true,
                        .write_buffer = false,
                        .caching_mode = false,
                        .esrtps = false};
    return {.units = {{capabilities(plain), false}},
            .domains = std::move(domains),
            .devices = std::move(devices)};
}

// A network card that receives, a disk that is written to and read from. Old ids are those that a
// kernel gives first.
Scene server(std::string name, u64 card, u64 disk) {
    return {
        std::move(name),
        machine(
            {{.did = {2}, .pages = {page(card, 0, false), page(card - page_size, 1, false)}},
             {.did = {3}, .pages = {page(disk, 2, true, false), page(disk - page_size, 3, false)}}},
            {{.unit = 0, .rids = {Rid::of(1, 0, 0)}, .domain = 0},
             {.unit = 0, .rids = {Rid::of(0, 0x1f, 2)}, .domain = 1}}),
        {{.name = "network card"}, {.name = "disk", .disk = true, .dump = true}}};
}

} // namespace

std::vector<Scene> scenes() {
    std::vector<Scene> all;
    all.push_back(server("a network card and a disk at work", usual, usual - 0x100000));
    all.push_back(server("their addresses are the kdump kernel's memory", in_crash_kernel, usual));
    all.push_back(server("their addresses are the crashed kernel's memory", in_old_kernel,
                         in_old_kernel + 0x100000));

    Scene fragile = server("a disk that no abort may hit", usual, usual - 0x100000);
    fragile.roles[1].fragile = true;
    all.push_back(fragile);

    Scene stubborn = server("a disk that cannot be reset", in_crash_kernel, usual);
    stubborn.roles[0].resets = stubborn.roles[1].resets = false;
    all.push_back(stubborn);

    Scene early = server("a driver that maps before it resets", usual, usual - 0x100000);
    early.roles[0].maps_early = true;
    all.push_back(early);

    Scene bridge = server("a card behind a PCI bridge", usual, usual - 0x100000);
    bridge.description.devices[0].rids = {Rid::of(3, 4, 0), Rid::of(3, 0, 0)};
    all.push_back(bridge);

    Scene two = server("two units, a disk on each", usual, usual - 0x100000);
    two.description.units.push_back(two.description.units[0]);
    two.description.devices.push_back({.unit = 1, .rids = {Rid::of(0x80, 1, 0)}, .domain = 1});
    two.roles.push_back({.name = "second disk", .disk = true, .fragile = true});
    all.push_back(two);

    Scene through = server("a disk in pass-through", usual, usual);
    through.description.domains[1] = {
        .did = {3},
        .paging = world::Paging::pass_through,
        .pages = {page(target_page(2).value, 2), page(target_page(3).value, 3)}};
    all.push_back(through);
    return all;
}

// Files ------------------------------------------------------------------------------------------

namespace {

std::string hex(u64 value) { return fmt::format("{:#x}", value); }

u64 number(const json& from, const char* what) {
    if (from.is_number_unsigned())
        return from.get<u64>();
    if (from.is_string()) {
        const auto& text = from.get_ref<const std::string&>();
        u64 value{};
        const bool is_hex = text.starts_with("0x");
        const char* end = text.data() + text.size();
        const auto [stopped, error] =
            std::from_chars(text.data() + (is_hex ? 2 : 0), end, value, is_hex ? 16 : 10);
        if (error == std::errc{} && stopped == end && !text.empty())
            return value;
    }
    throw Problem(fmt::format("{}: not a number: {}", what, from.dump()));
}

Rid rid(const json& from) {
    unsigned bus{}, device{}, function{};
    char rest{};
    const auto text = from.is_string() ? from.get<std::string>() : "";
    if (std::sscanf(text.c_str(), "%2x:%2x.%1x%c", &bus, &device, &function, &rest) != 3 ||
        device > 31 || function > 7)
        throw Problem(fmt::format("not a device: {} (write BUS:DEVICE.FUNCTION)", from.dump()));
    return Rid::of(bus, device, function);
}

std::string text(Rid rid) {
    return fmt::format("{:02x}:{:02x}.{}", rid.bus(), rid.devfn() >> 3, rid.devfn() & 7);
}

const json& field(const json& from, const char* name) {
    if (!from.is_object() || !from.contains(name))
        throw Problem(fmt::format("there is no \"{}\" in {}", name, from.dump().substr(0, 60)));
    return from[name];
}

const json& list(const json& from, const char* name) {
    const json& found = field(from, name);
    if (!found.is_array())
        throw Problem(fmt::format("\"{}\" is no list", name));
    return found;
}

struct Word {
    const char* name;
    bool Role::*flag;
    bool means;
};
constexpr Word words[] = {{"disk", &Role::disk, true},
                          {"dump", &Role::dump, true},
                          {"fragile", &Role::fragile, true},
                          {"no-reset", &Role::resets, false},
                          {"maps-early", &Role::maps_early, true}};

} // namespace

Scene read(const json& from) {
    Scene scene{field(from, "name").is_string() ? from["name"].get<std::string>() : "", {}, {}};
    const u64 units = from.contains("units") ? number(from["units"], "units") : 1;
    if (!units || units > 8)
        throw Problem("units: from 1 to 8");
    scene.description = machine({}, {});
    scene.description.units.resize(units, scene.description.units[0]);

    for (const json& one : list(from, "domains")) {
        world::Domain domain{.did = {static_cast<u16>(number(field(one, "id"), "id"))}};
        if (!domain.did.value || domain.did.value > 255)
            throw Problem("id: from 1 to 255");
        if (one.value("pass-through", false))
            domain.paging = world::Paging::pass_through;
        for (const json& at : list(one, "pages")) {
            const u64 iova = number(field(at, "iova"), "iova"), to = number(field(at, "to"), "to");
            const std::string rights = at.value("rights", "rw");
            if (iova % page_size || to % page_size || iova >> 48)
                throw Problem(fmt::format("page at {:#x}: addresses of pages, of 48 bits", iova));
            if (to < world::first_target.value ||
                to >= world::old_memory.value + world::old_memory_size)
                throw Problem(fmt::format("to {:#x}: memory that is no table is from {:#x} to "
                                          "{:#x}",
                                          to, world::first_target.value,
                                          world::old_memory.value + world::old_memory_size));
            if (domain.paging == world::Paging::pass_through && iova != to)
                throw Problem(fmt::format("page at {:#x}: passed through it stays there", iova));
            domain.pages.push_back({{iova},
                                    {to},
                                    page_bits,
                                    rights.find('r') != std::string::npos,
                                    rights.find('w') != std::string::npos});
        }
        scene.description.domains.push_back(std::move(domain));
    }
    for (const json& one : list(from, "devices")) {
        world::Device device{.unit = one.contains("unit") ? number(one["unit"], "unit") : 0,
                             .rids = {rid(field(one, "bdf"))},
                             .domain = number(field(one, "domain"), "domain")};
        for (const json& alias : one.value("aliases", json::array()))
            device.rids.push_back(rid(alias));
        if (device.unit >= units || device.domain >= scene.description.domains.size())
            throw Problem("a device names a unit or a domain that there is not (the first is 0)");
        Role role{.name = one.value("name", text(device.rids.front()))};
        for (const json& said : one.value("is", json::array())) {
            const auto* word = std::ranges::find_if(
                words, [&said](const Word& word) { return said == word.name; });
            if (word == std::end(words))
                throw Problem(fmt::format("a device is not {}; it may be disk, dump, fragile, "
                                          "no-reset, maps-early",
                                          said.dump()));
            role.*word->flag = word->means;
        }
        scene.description.devices.push_back(std::move(device));
        scene.roles.push_back(std::move(role));
    }
    if (scene.roles.empty())
        throw Problem("a machine without devices loses nothing");
    return scene;
}

nlohmann::ordered_json as_json(const Scene& scene) {
    using Json = nlohmann::ordered_json;
    Json to{{"name", scene.name}, {"units", scene.description.units.size()}};
    for (const world::Domain& domain : scene.description.domains) {
        Json pages = Json::array();
        for (const world::Page& page : domain.pages)
            pages.push_back(
                {{"iova", hex(page.iova.value)},
                 {"to", hex(page.to.value)},
                 {"rights", std::string(page.read ? "r" : "") + (page.write ? "w" : "")}});
        to["domains"].push_back({{"id", domain.did.value},
                                 {"pass-through", domain.paging == world::Paging::pass_through},
                                 {"pages", pages}});
    }
    for (std::size_t index = 0; index < scene.roles.size(); index++) {
        const world::Device& device = scene.description.devices[index];
        const Role& role = scene.roles[index];
        Json is = Json::array(), aliases = Json::array();
        for (const Word& word : words)
            if (role.*word.flag == word.means)
                is.push_back(word.name);
        for (std::size_t alias = 1; alias < device.rids.size(); alias++)
            aliases.push_back(text(device.rids[alias]));
        to["devices"].push_back({{"name", role.name},
                                 {"bdf", text(device.rids.front())},
                                 {"aliases", aliases},
                                 {"unit", device.unit},
                                 {"domain", device.domain},
                                 {"is", is}});
    }
    return to;
}

} // namespace vtd::sim
