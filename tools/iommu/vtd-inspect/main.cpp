// SPDX-License-Identifier: GPL-2.0-only
//
// vtd-inspect: what VT-d units were told, out of raw memory. It reads files of RAM and what the
// units' registers held; it changes nothing. What it says of a table is what the model of the
// hardware (tools/testing/vtd-takeover) makes of it. Not yet: a vmcore.

#include <cstdio>
#include <functional>

#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include "text.h"

using namespace vtd::inspect;

namespace {

struct Options {
    std::vector<std::string> ram, units, ranges, other, sets;
    std::string format = "text", of, device, iova, access = "read", what, which, words;
    std::string pasid;
    u64 map_limit = MapOptions{}.limit, check_limit = CheckOptions{}.limit;
    bool privileged = false;
};

std::optional<Pasid> pasid(const Options& options) {
    if (options.pasid.empty())
        return {};
    const u64 value = number(options.pasid);
    if (value >> 20)
        throw Problem("a PASID has 20 bits");
    return Pasid{static_cast<u32>(value)};
}

std::vector<Range> ranges(const Options& options) {
    std::vector<Range> all;
    for (const std::string& text : options.ranges)
        all.push_back(range(text));
    return all;
}

struct Result {
    Json found;
    std::string (*text)(const Json&);
    int status = 0;
};

using Command = std::function<Result(const Dump&, const Options&)>;

const UnitState& device_unit(const Dump& dump, const Options& options) {
    return unit_of(dump, parse_bdf(options.device).segment, options.of);
}

Result run_units(const Dump& dump, const Options&) { return {units(dump), units_text}; }
Result run_devices(const Dump& dump, const Options&) { return {devices(dump), devices_text}; }

Result run_map(const Dump& dump, const Options& options) {
    return {map(dump, device_unit(dump, options), parse_bdf(options.device).rid,
                {pasid(options), options.map_limit}),
            map_text};
}

Result run_translate(const Dump& dump, const Options& options) {
    const Access access = options.access == "write"    ? Access::write
                          : options.access == "atomic" ? Access::atomic
                                                       : Access::read;
    Json found = translate(dump, device_unit(dump, options), parse_bdf(options.device).rid,
                           {number(options.iova)}, {access, pasid(options), options.privileged});
    const int status = found.contains("fault") ? 2 : 0;
    return {std::move(found), translate_text, status};
}

Result run_check(const Dump& dump, const Options& options) {
    Json found = check(dump, {ranges(options), options.check_limit});
    const int status = found["findings"].empty() ? 0 : 2;
    return {std::move(found), check_text, status};
}

Result run_interrupts(const Dump& dump, const Options& options) {
    return {interrupts(dump, unit_of(dump, {}, options.of)), interrupts_text};
}

Result run_diff(const Dump& dump, const Options& options) {
    auto where = ranges(options);
    if (where.empty())
        where.push_back({"", 0, ~u64{0}});
    Json found = diff(dump, dump.ram.elsewhere(options.other), where);
    const int status = found["pages"].empty() ? 0 : 2;
    return {std::move(found), diff_text, status};
}

Result run_entry(const Dump& dump, const Options& options) {
    const bool device =
        options.what == "root" || options.what == "context" || options.what == "pasid";
    if (options.which.empty() && (device || options.what == "irte"))
        throw Problem(fmt::format("entry {}: say which", options.what));
    const auto segment = device ? std::optional{parse_bdf(options.which).segment} : std::nullopt;
    return {entry(dump, unit_of(dump, segment, options.of),
                  {options.what, options.which, options.words, options.sets, pasid(options)}),
            entry_text};
}

} // namespace

int main(int argc, char** argv) {
    Options options;
    Command command;
    CLI::App app{
        "What VT-d units were told, out of files of raw memory.\n"
        "Status: 0; 1 if it cannot be done; 2 if there are findings, changes, or a fault."};
    app.fallthrough();
    app.require_subcommand(1);
    app.add_option("--ram", options.ram, "FILE[:ADDRESS[:SIZE[:OFFSET]]] of raw memory")
        ->required();
    app.add_option("--unit", options.units,
                   "KEY=VALUE,...: registers=FILE, or cap, ecap, rtaddr, irta, pqa, pqh, pqt, prs, "
                   "gsts; haw, name, segment")
        ->required();
    app.add_option("-o,--output", options.format, "text or json")
        ->check(CLI::IsMember({"text", "json"}));
    app.add_option("--of", options.of, "the unit of that name, where a segment has several");

    const auto add = [&](const char* name, const char* what, Command does) {
        CLI::App* sub = app.add_subcommand(name, what);
        sub->callback([&command, does = std::move(does)] { command = does; });
        return sub;
    };
    const auto device = [&options](CLI::App* sub) {
        sub->add_option("BDF", options.device, "[SEGMENT:]BUS:DEVICE.FUNCTION")->required();
        sub->add_option("--pasid", options.pasid, "of requests with this PASID");
    };
    add("units", "each unit: mode, tables, what it can do", run_units);
    add("devices", "each device that has an entry, and where it leads", run_devices);
    CLI::App* sub = add("map", "all that a device may reach", run_map);
    device(sub);
    sub->add_option("--limit", options.map_limit, "of ranges; 0: none");
    sub = add("translate", "where one address leads, step by step", run_translate);
    device(sub);
    sub->add_option("IOVA", options.iova, "as the device says it")->required();
    sub->add_option("--access", options.access)->check(CLI::IsMember({"read", "write", "atomic"}));
    sub->add_flag("--privileged", options.privileged, "a request with PASID for supervisor pages");
    sub = add("check", "all that is illegal, or reaches a range", run_check);
    sub->add_option("--range", options.ranges, "[NAME=]FIRST-LAST that nothing should reach");
    sub->add_option("--limit", options.check_limit, "of findings of one device; 0: none");
    add("interrupts", "the interrupt entries that are present", run_interrupts);
    sub = add("diff", "pages that differ, and what of them are tables", run_diff);
    sub->add_option("OTHER", options.other, "for each file of --ram, the one of later")->required();
    sub->add_option("--range", options.ranges, "FIRST-LAST to look at; without it all");
    sub = add("entry", "one structure, or what it would be with other fields", run_entry);
    sub->add_option("WHAT", options.what, "rtaddr, irta, root, context, pasid, irte")->required();
    sub->add_option("WHICH", options.which, "the device, or the interrupt's index");
    sub->add_option("--pasid", options.pasid, "of requests with this PASID");
    sub->add_option("--words", options.words, "WORD,...: in place of what is there");
    sub->add_option("--set", options.sets, "FIELD=VALUE; \"pointer\" leads to the next table");

    try {
        app.parse(argc, argv);
    } catch (const CLI::ParseError& error) {
        return app.exit(error) ? 1 : 0;
    }
    try {
        Dump dump;
        for (const std::string& piece : options.ram)
            dump.ram.add(piece);
        for (const std::string& text : options.units)
            dump.units.push_back(unit(text, dump.units.size()));
        const Result result = command(dump, options);
        const std::string said =
            options.format == "json" ? result.found.dump(1) + '\n' : result.text(result.found);
        if (std::fputs(said.c_str(), stdout) < 0 || std::fflush(stdout) != 0)
            throw Problem("cannot write what was found");
        return result.status;
    } catch (const Problem& problem) {
        fmt::print(stderr, "vtd-inspect: {}\n", problem.what());
        return 1;
    }
}
