// SPDX-License-Identifier: GPL-2.0-only
//
// vtd-compare: the model against QEMU's intel-iommu. The same tables, the same requests, two
// independent readings of the specification: where does a request get to, with what fault is it
// refused, is the fault recorded?
//
// Not compared: caches (QEMU's are emptied with each set of tables), requests with PASID, nested
// translation, device-TLBs, interrupts. edu sends none of these.

#include <algorithm>
#include <cstdlib>
#include <map>
#include <stdexcept>

#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include "compare/differences.h"
#include "compare/machine.h"
#include "compare/tables.h"
#include "model/translation.h"

using namespace vtd::compare;

namespace {

constexpr unsigned tries_per_set = 100;
constexpr unsigned long shown = 5, most = 1000;

class Ram final : public Source {
public:
    explicit Ram(std::span<const u64> ram) : ram_(ram) {}
    std::optional<u64> word(Table, Hpa at) override {
        if (at.value >= ram_.size_bytes())
            return {};
        return ram_[at.value / sizeof(u64)];
    }
    void step(Table table, Hpa at, std::span<const u64> words) override {
        steps.push_back({table, at, {words.begin(), words.end()}});
    }
    std::vector<Step> steps;

private:
    std::span<const u64> ram_;
};

std::string text(const Seen& seen) {
    if (seen.record)
        return fmt::format("fault {:#x} of {:04x} at {:#x}, {}", seen.record->reason,
                           seen.record->rid.value, seen.record->page,
                           seen.record->read ? "read" : "write");
    return seen.where ? fmt::format("memory at {:#x}", seen.where->value)
                      : "no memory, no fault recorded";
}

std::string text(const Expected& expected, Iova iova) {
    if (const auto* fault = std::get_if<Fault>(&expected.outcome))
        return fmt::format("fault {:#x} ({}){}", static_cast<unsigned>(fault->reason),
                           vtd::model::text(fault->reason), fault->recorded ? "" : ", silent");
    const auto& page = std::get<Translation>(expected.outcome);
    return fmt::format("{:#x}{}",
                       page.address.value + (iova.value & ((u64{1} << page.page_bits) - 1)),
                       page.pass_through ? ", passed through" : "");
}

// What is counted, so that one sees that not all pairs were of one kind.
std::string kind(const Expected& expected, bool in_ram) {
    if (const auto* fault = std::get_if<Fault>(&expected.outcome))
        return fmt::format("{:#04x} {}{}", static_cast<unsigned>(fault->reason),
                           vtd::model::text(fault->reason), fault->recorded ? "" : ", silent");
    if (std::get<Translation>(expected.outcome).pass_through)
        return in_ram ? "passed through" : "passed through, no memory there";
    return in_ram ? "translated" : "translated, no memory there";
}

class Run {
public:
    Run(Mode mode, unsigned version, Machine& machine, u64 seed, unsigned width)
        : mode_(mode), version_(version), machine_(machine),
          seed_(seed), can_{.cap = machine.cap(), .ecap = machine.ecap(), .host_width = width} {}

    // Returns how many pairs agreed; `only` is a set to look at alone.
    unsigned long set(u64 number);
    bool report(bool complete) const;

    std::map<std::string, unsigned> kinds;
    std::map<const Difference*, unsigned> known;
    std::map<std::string, unsigned> unexplained;
    unsigned long mismatches = 0;

private:
    bool agree(const Try& one, const Expected& expected, const Seen& seen) const;

    Mode mode_;
    unsigned version_;
    Machine& machine_;
    u64 seed_;
    Capabilities can_;
};

bool Run::agree(const Try& one, const Expected& expected, const Seen& seen) const {
    if (const auto* fault = std::get_if<Fault>(&expected.outcome)) {
        if (!fault->recorded)
            return !seen.record && !seen.where;
        return seen.record && !seen.where &&
               seen.record->reason == static_cast<u8>(fault->reason) &&
               seen.record->rid == machine_.devices()[one.device] &&
               seen.record->page == (one.iova.value & ~(page_size - 1)) &&
               seen.record->read == one.read;
    }
    if (seen.record)
        return false;
    // What is read from tables does not say where it was.
    if (one.read && expected.where < first_page)
        return !seen.where;
    return expected.where.value < ram_size ? seen.where == expected.where : !seen.where;
}

unsigned long Run::set(u64 number) {
    auto ram = machine_.ram();
    Tables tables(ram, mode_, can_, machine_.devices(), seed_ * 1'000'003 + number);
    const auto tries = tables.tries(tries_per_set);

    // Page 0 is nobody's table. Each slot of each device has a value of its own.
    const auto marker = [&](std::size_t device, unsigned slot) {
        return u64{0xd} << 60 | number % 0xffff << 32 | device << 16 | slot;
    };
    const Hpa exchange{0};
    for (std::size_t device = 0; device < machine_.devices().size(); device++) {
        for (unsigned slot = 0; slot < page_size / sizeof(u64); slot++)
            ram[slot] = marker(device, slot);
        machine_.fill(device, exchange);
    }
    std::ranges::fill(ram.first(page_size / sizeof(u64)), 0);

    machine_.translate(tables.rtaddr());
    std::vector<Expected> expected(tries.size());
    std::vector<Seen> seen(tries.size());
    for (unsigned n = 0; n < tries.size(); n++) {
        const Try& one = tries[n];
        Ram source(ram);
        const Hardware unit{can_, tables.rtaddr()};
        const Request request{.rid = machine_.devices()[one.device],
                              .iova = one.iova,
                              .access = one.read ? Access::read : Access::write};
        expected[n].outcome = vtd::model::translate(unit, request, source);
        expected[n].steps = std::move(source.steps);
        if (const auto* page = std::get_if<Translation>(&expected[n].outcome))
            expected[n].where = {page->address.value +
                                 (one.iova.value & ((u64{1} << page->page_bits) - 1))};

        if (one.read) {
            seen[n].record = machine_.read(one.device, one.iova, n + 1);
            continue;
        }
        seen[n].record = machine_.write(one.device, one.iova, n + 1);
        // Wherever it went, it is put right again.
        for (std::size_t at = 0; at < ram.size(); at++)
            if (ram[at] == marker(one.device, n + 1)) {
                seen[n].where = Hpa{at * sizeof(u64)};
                ram[at] = at * sizeof(u64) < first_page.value ? 0 : at * sizeof(u64);
            }
    }
    for (std::size_t device = 0; device < machine_.devices().size(); device++) {
        machine_.collect(device, exchange);
        for (unsigned n = 0; n < tries.size(); n++)
            if (tries[n].device == device && tries[n].read && ram[n + 1] >= first_page.value &&
                ram[n + 1] < ram_size)
                seen[n].where = Hpa{ram[n + 1]};
    }

    const auto cached = [&](unsigned n) {
        for (unsigned i = 0; i < n; i++) {
            const auto* page = std::get_if<Translation>(&expected[i].outcome);
            if (page && !page->pass_through && tries[i].device == tries[n].device &&
                (tries[i].iova.value ^ tries[n].iova.value) >> page->page_bits == 0)
                return true;
        }
        return false;
    };
    unsigned long good = 0;
    for (unsigned n = 0; n < tries.size(); n++) {
        kinds[kind(expected[n], expected[n].where.value < ram_size)]++;
        if (agree(tries[n], expected[n], seen[n])) {
            good++;
            continue;
        }
        const Difference* why =
            explained(mode_, version_, {can_, tries[n], expected[n], seen[n], ram, cached(n)});
        if (why) {
            known[why]++;
            continue;
        }
        unexplained[kind(expected[n], expected[n].where.value < ram_size) + " / " +
                    (seen[n].record  ? fmt::format("{:#04x}", seen[n].record->reason)
                     : seen[n].where ? "memory"
                                     : "nothing")]++;
        if (mismatches++ >= shown)
            continue;
        fmt::print("set {} pair {}: {:04x} {} {:#x}\n  model: {}\n  QEMU:  {}\n", number, n,
                   machine_.devices()[tries[n].device].value, tries[n].read ? "reads" : "writes",
                   tries[n].iova.value, text(expected[n], tries[n].iova), text(seen[n]));
        for (const Step& step : expected[n].steps) {
            fmt::print("    {} at {:#x}:", name(step.table), step.at.value);
            for (const u64 word : step.words)
                fmt::print(" {:#x}", word);
            fmt::print("\n");
        }
    }
    return good;
}

// Every kind that the mode has to have come across, every difference that the version has.
bool Run::report(bool complete) const {
    bool good = true;
    for (const auto& [what, count] : kinds)
        fmt::print("  {:7} {}\n", count, what);
    for (const Difference& difference : differences()) {
        if (!difference.applies(mode_, version_))
            continue;
        const auto found = known.find(&difference);
        const unsigned count = found == known.end() ? 0 : found->second;
        fmt::print("  {:7} differ: {} ({})\n", count, difference.what, difference.chapter);
        if (complete && !count) {
            fmt::print("this difference was not seen: the list is stale, or the run too short\n");
            good = false;
        }
    }
    for (const auto& [what, count] : unexplained)
        fmt::print("  {:7} model / QEMU: {}\n", count, what);
    for (const std::string_view wanted : {"translated", "passed through"})
        if (!kinds.contains(std::string(wanted))) {
            fmt::print("nothing was {}\n", wanted);
            good = false;
        }
    // A dozen different faults, or the tables were tame.
    constexpr std::size_t enough = 12;
    if (kinds.size() < enough) {
        fmt::print("only {} kinds of outcome\n", kinds.size());
        good = false;
    }
    return good;
}

} // namespace

int main(int argc, char** argv) {
    CLI::App app{"Compares the model of VT-d with QEMU's intel-iommu."};
    std::string mode_name = "legacy", options;
    unsigned long pairs = 2000;
    u64 seed = 1;
    std::optional<u64> only;
    bool complete = false;
    unsigned width = 48, version = 7;
    std::vector<std::string> qemu{"qemu-system-x86_64"};
    app.add_option("--mode", mode_name, "legacy, second or first: whose tables")
        ->check(CLI::IsMember({"legacy", "second", "first"}));
    app.add_option("--pairs", pairs, "how many have to agree");
    app.add_option("--seed", seed, "of the tables");
    app.add_flag("--complete", complete, "every known difference has to be seen");
    app.add_option("--set", only, "this set of tables alone");
    app.add_option("--width", width, "aw-bits")->check(CLI::IsMember({39U, 48U}));
    app.add_option("--version", version, "QEMU's major version");
    app.add_option("--options", options, "of intel-iommu, beside");
    app.add_option("qemu", qemu, "QEMU and its options, after --");
    CLI11_PARSE(app, argc, argv);

    const Mode mode = mode_name == "legacy"   ? Mode::legacy
                      : mode_name == "second" ? Mode::second
                                              : Mode::first;
    try {
        std::string all = fmt::format("aw-bits={}", width);
        if (mode != Mode::legacy)
            all += ",x-scalable-mode=on";
        if (mode == Mode::first)
            all += ",x-flts=on";
        if (!options.empty())
            all += "," + options;
        Machine machine(qemu, all);
        Run run(mode, version, machine, seed, width);
        unsigned long good = 0, sets = 0;
        if (only) {
            good = run.set(*only);
            fmt::print("{} pairs agree\n", good);
            return run.mismatches ? EXIT_FAILURE : EXIT_SUCCESS;
        }
        while (good < pairs && run.mismatches < most)
            good += run.set(sets++);
        fmt::print("{} mode, {}, seed {}: {} pairs in {} sets agree, {} do not\n", mode_name, all,
                   seed, good, sets, run.mismatches);
        const bool whole = run.report(complete);
        if (run.mismatches)
            fmt::print("repeat with --mode {} --width {} --seed {} --set N\n", mode_name, width,
                       seed);
        return run.mismatches || !whole ? EXIT_FAILURE : EXIT_SUCCESS;
    } catch (const std::exception& problem) {
        fmt::print(stderr, "vtd-compare: {}\n", problem.what());
        return EXIT_FAILURE;
    }
}
