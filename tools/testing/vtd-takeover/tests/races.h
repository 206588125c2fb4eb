// SPDX-License-Identifier: GPL-2.0-only
//
// Two processors in a world, by turns: every schedule of up to so many changes from one to the
// other.

#pragma once

#include <functional>
#include <stdexcept>
#include <vector>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "harness/crash_kernel.h"
#include "harness/schedule.h"

namespace vtd::harness {

using Tasks = std::function<std::vector<std::function<void()>>(CrashKernel&)>;

// Returns the number of schedules.
inline unsigned long race(const Description& description,
                          const std::function<void(CrashKernel&)>& before, const Tasks& tasks,
                          unsigned changes) {
    return Schedule::all(changes, [&](Schedule& schedule) {
        World world(description);
        CrashKernel kernel(world);
        before(kernel);
        world.schedule = &schedule;
        try {
            schedule.run(tasks(kernel));
        } catch (const Violation& violation) {
            throw std::runtime_error(fmt::format("{}\n  tasks change at {}", violation.what(),
                                                 fmt::join(schedule.changes(), ", ")));
        }
        world.schedule = nullptr;
        world.check();
        World::totals.schedules++;
        return schedule.points();
    });
}

inline std::vector<std::function<void()>> both_map(CrashKernel& kernel) {
    return {[&] { kernel.map(0); }, [&] { kernel.map(1); }};
}

} // namespace vtd::harness
