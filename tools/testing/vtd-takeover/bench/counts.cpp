// SPDX-License-Identifier: GPL-2.0-only
// vtd-counts: what the takeover and Linux's own functions do for so many devices, for callgrind to
// count. Under callgrind each phase ends with a dump of its own; in any case a line on standard
// output says which it was, and what was mapped of old memory. What came of each phase is checked:
// a side that does nothing would be cheap.
//
// Knows nothing of what may cost how much: scripts/counts.py does.
#include <cstdio>
#include <cstdlib>
#include <string>
#include <valgrind/callgrind.h>

#include "old_tables.h"

namespace {

using bench::Mode;
using bench::OldTables;
using bench::Shape;

struct Side {
    const char* name;
    const bench_side& call;
};

const char* name_of(Mode mode) {
    switch (mode) {
    case Mode::legacy:
        return "legacy";
    case Mode::mixed:
        return "mixed";
    case Mode::scattered:
        return "scattered";
    case Mode::snooping:
        return "snooping";
    case Mode::scalable:
        return "scalable";
    case Mode::pasids:
        return "pasids";
    }
    return "?";
}

void must(bool holds, const std::string& phase, const char* what) {
    if (holds)
        return;
    std::fprintf(stderr, "vtd-counts: %s: %s\n", phase.c_str(), what);
    std::exit(1);
}

// Runs what is counted, and nothing else, between the two requests.
template <typename Work> void count(const std::string& phase, Work work) {
    bench_figures = {};
    CALLGRIND_ZERO_STATS;
    work();
    CALLGRIND_DUMP_STATS_AT(phase.c_str());
    std::printf("%s %lu %lu %lu %lu\n", phase.c_str(), bench_figures.mappings, bench_figures.bytes,
                bench_figures.pasid_mappings, bench_figures.pasid_bytes);
    must(bench_warnings == 0, phase, "something was found wrong");
}

// Not inlined: what it costs itself is the same for any work, and is subtracted.
[[gnu::noinline]] void each(unsigned devices, void (*work)(unsigned rid)) {
    for (unsigned rid = 0; rid < devices; rid++)
        work(rid);
}

void check_adopted(const Side& side, const OldTables& old, const std::string& phase) {
    const unsigned words = old.unit().scalable ? 4 : 2;
    for (unsigned rid = 0; rid < old.unit().devices; rid++) {
        const auto* entry = old.entry(side.call.root(), rid);
        must(entry != nullptr && side.call.is_held(rid), phase, "a device was not adopted");
        for (unsigned w = 0; w < words; w++)
            must(entry[w] == old.entry(rid)[w], phase, "an entry is not the old one");
        // Stock does not look for ids in PASID structures.
        must(side.call.id_is_taken(OldTables::did(rid)) ||
                 (old.unit().scalable && &side.call == &bench_stock),
             phase, "an id was not reserved");
    }
    must(!side.call.is_held(old.unit().devices), phase, "a device too many was adopted");
}

void check_released(const Side& side, const OldTables& old, const std::string& phase) {
    for (unsigned rid = 0; rid < old.unit().devices; rid++) {
        const auto* entry = old.entry(side.call.root(), rid);
        must(!side.call.is_held(rid), phase, "a device was not released");
        must(entry[0] != old.entry(rid)[0], phase, "an entry is still the old one");
    }
}

void check_interrupts(const Side& side, const OldTables& old, const std::string& phase) {
    for (unsigned i = 0; i < 65536; i++) {
        const auto* entry = side.call.interrupt_table() + std::size_t{2} * i;
        const auto* was = old.interrupts() + std::size_t{2} * i;
        must(entry[0] == was[0] && entry[1] == was[1], phase, "an entry is not the old one");
        must(side.call.index_is_taken(i) == (i < old.unit().devices), phase,
             "an index was not reserved");
    }
}

void run(const Side& side, Shape shape) {
    const OldTables old(shape);
    const std::string where =
        std::string(name_of(shape.mode)) + "/" + std::to_string(shape.devices) + "/" + side.name;
    side.call.begin(&old.unit());

    int failed = 0;
    count("adoption/" + where, [&] { failed = side.call.adopt(); });
    must(failed == 0, where, "adoption failed");
    check_adopted(side, old, where);

    // The interrupt table is the same in all modes.
    if (shape.mode == Mode::legacy || shape.mode == Mode::snooping) {
        count("interrupts/" + where, [&] { failed = side.call.interrupts(); });
        must(failed == 0, where, "adoption of interrupts failed");
        check_interrupts(side, old, where);
    }

    // What the old entry said does not matter to its release.
    if (shape.mode != Mode::legacy && shape.mode != Mode::snooping && shape.mode != Mode::scalable)
        return;
    count("release/" + where, [&] { each(shape.devices, side.call.release); });
    check_released(side, old, where);
    // The loop alone.
    count("idle/" + where, [&] { each(shape.devices, side.call.idle); });

    if (side.call.fill == nullptr)
        return;
    for (unsigned rid = 0; rid < shape.devices; rid++) {
        u64* entry = old.entry(side.call.root(), rid);
        entry[0] = entry[1] = 0;
    }
    count("fill/" + where, [&] { each(shape.devices, side.call.fill); });
}

} // namespace

int main() {
    // Within a table of either mode, and then in whole buses: counts.py looks for what is not
    // linear.
    for (const Side& side : {Side{"takeover", bench_takeover}, Side{"stock", bench_stock}}) {
        for (const Mode mode :
             {Mode::legacy, Mode::mixed, Mode::scattered, Mode::snooping, Mode::scalable})
            for (const unsigned devices : {1U, 16U, 64U, 256U, 1024U, 4096U})
                run(side, {mode, devices});
        // A directory for 20 bits of PASID takes 128 KiB: few devices have one.
        for (const unsigned devices : {1U, 16U, 64U})
            run(side, {Mode::pasids, devices});
    }
    return 0;
}
