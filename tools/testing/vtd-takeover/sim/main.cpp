// SPDX-License-Identifier: GPL-2.0-only
//
// vtd-sim: what each strategy loses, over the machines of scenes.cpp or one of a file. A simulation
// of one course of events each: what holds of all of them is for the tests to say.

#include <cstdio>
#include <fstream>

#include <CLI/CLI.hpp>
#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "sim/scenes.h"
#include "sim/strategies.h"

using namespace vtd::sim;
using Json = nlohmann::ordered_json;

namespace {

struct Column {
    const char *name, *above, *below;
    unsigned Losses::*count;
};
constexpr Column columns[] = {
    {"dumps_lost", "dumps", "", &Losses::dumps},
    {"crash_pages", "kdump", "pages", &Losses::crash_pages},
    {"old_pages", "crashed", "pages", &Losses::old_pages},
    {"old_changed", "old", "tables", &Losses::old_changed},
    {"blocks_nulled", "blocks", "nulled", &Losses::blocks_nulled},
    {"blocks_garbled", "blocks", "garbled", &Losses::blocks_garbled},
    {"aborts", "master", "aborts", &Losses::aborts},
    {"devices_dead", "devices", "", &Losses::dead},
};

Json json(const Losses& losses) {
    Json to;
    for (const Column& column : columns)
        to[column.name] = losses.*column.count;
    return to;
}

std::string line(const std::string& name, const Losses& losses) {
    std::string text = fmt::format("{:46}", name);
    for (const Column& column : columns)
        text +=
            fmt::format("{:>9}", losses.*column.count ? std::to_string(losses.*column.count) : "-");
    return text + '\n';
}

// Titles of two lines.
std::string heading(std::size_t machines) {
    std::string first = fmt::format(
        "{:46}", fmt::format("lost in {} machine{}", machines, machines == 1 ? "" : "s"));
    std::string second = fmt::format("{:46}", "");
    for (const Column& column : columns) {
        first += fmt::format("{:>9}", column.above);
        second += fmt::format("{:>9}", column.below);
    }
    return first + '\n' + second + '\n';
}

} // namespace

int main(int argc, char** argv) {
    std::string file;
    bool data = false, each = false, list = false;
    CLI::App app{"What each way to deal with DMA in flight loses, on a model of VT-d."};
    app.add_option("--world", file, "a machine described in JSON, in place of the built-in ones");
    app.add_flag("--json", data, "the figures as data");
    app.add_flag("--each", each, "each machine by itself, too");
    app.add_flag("--list", list, "the built-in machines, as --world reads them");
    CLI11_PARSE(app, argc, argv);

    try {
        std::vector<Scene> all = scenes();
        if (!file.empty()) {
            std::ifstream in(file);
            const auto parsed = in ? nlohmann::json::parse(in, nullptr, false) : nlohmann::json();
            if (!in || parsed.is_discarded())
                throw Problem(!in ? "cannot be read" : "is not JSON");
            all = {read(parsed)};
        }
        if (list) {
            Json found = Json::array();
            for (const Scene& scene : all)
                found.push_back(as_json(scene));
            fmt::print("{}\n", found.dump(1));
            return 0;
        }
        Json found{{"machines", Json::array()}, {"strategies", Json::array()}};
        std::string text;
        for (const Scene& scene : all)
            found["machines"].push_back(scene.name);
        for (const Strategy& strategy : strategies()) {
            Losses sum;
            Json single = Json::array();
            std::string lines;
            for (const Scene& scene : all) {
                const Losses losses = strategy.run(scene);
                sum += losses;
                single.push_back(json(losses));
                lines += line("    " + scene.name, losses);
            }
            found["strategies"].push_back({{"number", strategy.number},
                                           {"name", strategy.name},
                                           {"losses", json(sum)},
                                           {"each", single}});
            text += line(fmt::format("{:5}{}", strategy.number, strategy.name), sum);
            if (each)
                text += lines;
        }
        fmt::print("{}", data ? found.dump(1) + '\n' : heading(all.size()) + text);
        return 0;
    } catch (const Problem& problem) {
        fmt::print(stderr, "vtd-sim: {}: {}\n", file, problem.what());
    } catch (const vtd::harness::Violation& violation) {
        fmt::print(stderr, "vtd-sim: {}\n", violation.what());
    }
    return 1;
}
