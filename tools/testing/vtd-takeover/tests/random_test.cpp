// SPDX-License-Identifier: GPL-2.0-only
//
// The takeover in machines at random. What fails is made smaller before it is shown: the machine,
// the steps, and what the code did. RC_PARAMS="seed=... max_success=..." repeats or prolongs.

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include "harness/crash_kernel.h"
#include "world/random.h"

namespace {

using namespace vtd::harness;
using vtd::world::Plan;
using vtd::world::plans;

void run(const Plan& plan) {
    World world(plan.description, {.allocation = plan.failing_allocation});
    CrashKernel kernel(world);
    kernel.boot(plan.block ? TAKEOVER_BLOCK : TAKEOVER_ADOPT);
    std::vector<bool> begun(plan.description.devices.size());
    u64 iova = 0;
    for (const std::size_t device : plan.steps) {
        if (begun[device])
            kernel.fill(device, {iova += 0x1000}, CrashKernel::default_page);
        else
            kernel.release(device);
        begun[device] = true;
    }
    World::totals.schedules++;
}

RC_GTEST_PROP(Random, SoundMachines, ()) { run(*plans({})); }
RC_GTEST_PROP(Random, Streams, ()) { run(*plans({.streams = true})); }
RC_GTEST_PROP(Random, DamagedTables, ()) { run(*plans({.damage = true})); }
RC_GTEST_PROP(Random, FailingAllocations, ()) { run(*plans({.failures = true})); }

} // namespace
