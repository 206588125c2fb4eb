// SPDX-License-Identifier: GPL-2.0-only
//
// Runs the tests of the world and says how much they have explored.

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "harness/world.h"

namespace {

class Count : public testing::EmptyTestEventListener {
    void OnTestProgramEnd(const testing::UnitTest&) override {
        const auto& all = vtd::harness::World::totals;
        fmt::print("explored: {} worlds, {} schedules, {} steps, {} walks\n", all.worlds,
                   all.schedules, all.steps, all.walks);
    }
};

} // namespace

int main(int argc, char** argv) {
    testing::InitGoogleTest(&argc, argv);
    testing::UnitTest::GetInstance()->listeners().Append(new Count);
    return RUN_ALL_TESTS();
}
