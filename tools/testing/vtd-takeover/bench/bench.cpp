// SPDX-License-Identifier: GPL-2.0-only
// vtd-bench: how fast the guard walks page tables, beside plain reads of the same bytes. The two
// take turns. Of each the fastest turn counts: what else the machine does makes it slower, never
// faster.
//
// Knows nothing of what is fast enough: scripts/bench.py does.
#include <algorithm>
#include <cmath>
#include <ctime>
#include <memory>
#include <string>

#include <benchmark/benchmark.h>

#include "page_tables.h"

namespace {

using bench::Mapped;
using bench::PageTables;

// The tables of the last case: the next one mostly has the same, and building takes longer.
std::unique_ptr<PageTables> built;
std::string built_for;

PageTables& tables_for(const Mapped& mapped) {
    if (built_for != mapped.name()) {
        built.reset();
        built = std::make_unique<PageTables>(mapped);
        built_for = mapped.name();
    }
    return *built;
}

// Of this thread: what else runs on the processor meanwhile is not counted.
double now() {
    timespec time{};
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
    return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_nsec) * 1e-9;
}

template <typename Work> double seconds(Work work) {
    const double begin = now();
    work();
    return now() - begin;
}

void walk(benchmark::State& state, const Mapped& mapped, std::size_t bad) {
    PageTables& tables = tables_for(mapped);
    tables.spoil(bad);
    const bench_guarded guarded = tables.guarded();
    const auto& list = tables.tables();
    double plain = HUGE_VAL, walked = HUGE_VAL;
    bench_walked result{};

    for ([[maybe_unused]] auto iteration : state) {
        bench_guarded_begin(&guarded);
        plain = std::min(plain, seconds([&] {
                             benchmark::DoNotOptimize(bench_read_plain(list.data(), list.size()));
                         }));
        const double turn = seconds(bench_guarded_walk);
        walked = std::min(walked, turn);
        state.SetIterationTime(turn);
        bench_guarded_result(&result);
        if (const std::string problem = tables.judge(result); !problem.empty()) {
            state.SkipWithError(problem.c_str());
            return;
        }
    }

    const auto number = static_cast<double>(list.size());
    const double size = number * 4096 / (1 << 30);
    state.counters["tables"] = number;
    state.counters["plain"] = size / plain;
    state.counters["walked"] = size / walked;
    state.counters["ratio"] = plain / walked;
    state.counters["ns"] = walked * 1e9 / number;
    state.counters["bytes"] = static_cast<double>(result.bytes) / number;
    state.counters["windows"] = static_cast<double>(result.windows);
    state.counters["copies"] = result.pages_kept;
}

void add(const Mapped& mapped) {
    const std::size_t leaves = (std::size_t{mapped.gib} << 30) >> (12 + 9 * (mapped.level - 1));
    for (const std::size_t bad : {0U, 1U, 100U, 10000U}) {
        if (bad > leaves)
            continue;
        // About the same time for each, but not so few that none is undisturbed.
        const std::size_t bytes = leaves * sizeof(u64) + bad * 4096;
        const auto iterations = std::clamp<std::size_t>((std::size_t{1} << 32) / bytes, 15, 300);
        benchmark::RegisterBenchmark((mapped.name() + "/" + std::to_string(bad)).c_str(),
                                     [=](benchmark::State& state) { walk(state, mapped, bad); })
            ->UseManualTime()
            ->Unit(benchmark::kMillisecond)
            ->Iterations(static_cast<benchmark::IterationCount>(iterations));
    }
}

} // namespace

int main(int argc, char** argv) {
    for (const unsigned level : {1U, 2U, 3U})
        for (const unsigned gib : {1U, 16U, 64U, 256U, 1024U})
            add({.gib = gib, .level = level});
    // As they are in a machine that has run for a while.
    for (const unsigned gib : {64U, 1024U}) {
        add({.gib = gib, .level = 1, .scattered = true});
        add({.gib = gib, .level = 1, .shuffled = true});
        add({.gib = gib, .level = 1, .shuffled = true, .scattered = true});
    }
    benchmark::Initialize(&argc, argv);
    if (benchmark::ReportUnrecognizedArguments(argc, argv))
        return 2;
    benchmark::RunSpecifiedBenchmarks();
    benchmark::Shutdown();
    return 0;
}
