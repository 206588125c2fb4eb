// SPDX-License-Identifier: GPL-2.0-only
//
// Everything that can fail, once each: every allocation, every read of old memory, every command
// that a unit may never complete. A dump may be lost by it; nothing else may.

#include <gtest/gtest.h>

#include "harness/crash_kernel.h"
#include "tests/worlds.h"

namespace {

using namespace vtd::harness;

class FailuresIn : public testing::TestWithParam<unsigned> {
protected:
    static Variant variant() { return Variant::of(GetParam()); }

    // Returns how often each could have failed.
    static Chances run(takeover_mode mode, Failures failures) {
        return run(machine_with_reserved_memory(variant()), mode, failures);
    }
    static Chances run(const Description& description, takeover_mode mode, Failures failures) {
        World world(description, failures);
        CrashKernel kernel(world);
        kernel.boot(mode);
        for (std::size_t device = 0; device < description.devices.size(); device++)
            kernel.map(device);
        World::totals.schedules++;
        return world.chances;
    }
};

TEST_P(FailuresIn, Allocations) {
    for (const takeover_mode mode : {TAKEOVER_ADOPT, TAKEOVER_BLOCK}) {
        const unsigned all = run(mode, {}).allocations;
        ASSERT_GT(all, 1U);
        for (unsigned n = 1; n <= all; n++)
            run(mode, {.allocation = n});
    }
}

TEST_P(FailuresIn, ReadsOfOldMemory) {
    const unsigned all = run(TAKEOVER_ADOPT, {}).old_reads;
    ASSERT_GT(all, 3U);
    for (unsigned n = 1; n <= all; n++) {
        run(TAKEOVER_ADOPT, {.old_read = n});
        run(TAKEOVER_ADOPT, {.window = n});
    }
}

// Of ids that one entry has: nobody else tells of what was not read.
TEST_P(FailuresIn, ReadsOfSingleIds) {
    const Description description = one_unit(variant());
    const unsigned all = run(description, TAKEOVER_ADOPT, {}).old_reads;
    ASSERT_GT(all, 3U);
    for (unsigned n = 1; n <= all; n++)
        run(description, TAKEOVER_ADOPT, {.window = n});
}

TEST_P(FailuresIn, Commands) {
    for (const takeover_mode mode : {TAKEOVER_ADOPT, TAKEOVER_BLOCK}) {
        const unsigned all = run(mode, {}).commands;
        ASSERT_EQ(all, 1U); // to set the root table
        run(mode, {.command = 1});
    }
}

INSTANTIATE_TEST_SUITE_P(All, FailuresIn, testing::Range(0U, Variant::all));

} // namespace
