// SPDX-License-Identifier: GPL-2.0-only
// vtd-guard-counts: the guard's walk over page tables of some sizes, for callgrind to count. Each
// ends with a dump of its own; in any case a line on standard output says which it was, how many
// tables there were, what was mapped and read of old memory, and what was kept to know the tables
// again, in bytes.
//
// Knows nothing of what may cost how much: scripts/counts.py does.
#include <cstdio>
#include <cstdlib>
#include <string>
#include <valgrind/callgrind.h>

#include "page_tables.h"

namespace {

// What a walk takes beside what it knows of tables: itself, a buffer for each of five levels, two
// for PASIDs, the map of blocks.
constexpr unsigned pages_of_a_walk = 9;

void count(const std::string& phase, const bench::PageTables& tables, unsigned devices) {
    const bench_guarded guarded = tables.guarded(devices);
    bench_walked walked{};

    bench_guarded_begin(&guarded);
    CALLGRIND_ZERO_STATS;
    bench_guarded_walk();
    CALLGRIND_DUMP_STATS_AT(phase.c_str());
    bench_guarded_result(&walked);
    if (const std::string problem = tables.judge(walked); !problem.empty()) {
        std::fprintf(stderr, "vtd-guard-counts: %s: %s\n", phase.c_str(), problem.c_str());
        std::exit(1);
    }
    // Copies stay: what they and the list of them take is not among it.
    const unsigned known = walked.pages_kept ? 0 : walked.pages_most - pages_of_a_walk;
    std::printf("%s %u %lu %lu %u\n", phase.c_str(), walked.tables, walked.windows, walked.bytes,
                known * 4096);
}

} // namespace

int main() {
    // Sizes between which counts.py looks for what is not linear.
    for (const unsigned gib : {1U, 16U, 64U}) {
        const std::string size = "/" + std::to_string(gib);
        for (const unsigned level : {1U, 2U}) {
            bench::PageTables tables({.gib = gib, .level = level});
            const std::string pages = level == 1 ? "4K" : "2M";
            count("guard/" + pages + size, tables, 1);
            if (level > 1)
                continue;
            count("guard/shared" + size, tables, 64);
            tables.spoil(100);
            count("guard/bad" + size, tables, 1);
        }
        const bench::PageTables scattered({.gib = gib, .shuffled = true, .scattered = true});
        count("guard/scattered" + size, scattered, 1);
    }
    return 0;
}
