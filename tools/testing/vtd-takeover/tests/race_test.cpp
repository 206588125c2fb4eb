// SPDX-License-Identifier: GPL-2.0-only
//
// Processors that do things at the same time: first mappings of two devices, on one unit and on
// two, and a unit that is taken over late while another one serves a driver. Each pair with every
// schedule of up to two changes from one to the other.

#include <gtest/gtest.h>

#include "tests/races.h"
#include "tests/worlds.h"

namespace {

using namespace vtd::harness;

constexpr unsigned changes = 2;

void race(const Description& description, const std::function<void(CrashKernel&)>& before,
          const Tasks& tasks) {
    EXPECT_GT(race(description, before, tasks, changes), 50U);
}

class Races : public testing::TestWithParam<unsigned> {
protected:
    // The odd ones out: legacy and scalable, neither coherent nor with a cache for what is not
    // there; then both at once, which only virtual units are.
    static Variant variant() {
        return {(GetParam() & 1) != 0, (GetParam() & 2) != 0, false, (GetParam() & 2) != 0, false};
    }
};

TEST_P(Races, OfTwoDevices) {
    race(
        one_unit(variant()), [](CrashKernel& kernel) { kernel.boot(); }, both_map);
}

TEST_P(Races, OfTwoBlockedDevices) {
    race(
        one_unit(variant()), [](CrashKernel& kernel) { kernel.boot(TAKEOVER_BLOCK); }, both_map);
}

TEST_P(Races, OfDevicesOfTwoUnits) {
    race(
        two_units(variant()), [](CrashKernel& kernel) { kernel.boot(); }, both_map);
}

TEST_P(Races, OfBlockedDevicesOfTwoUnits) {
    race(
        two_units(variant()), [](CrashKernel& kernel) { kernel.boot(TAKEOVER_BLOCK); }, both_map);
}

// The same requester id in two segments: one device has nothing to do with the other.
TEST_P(Races, OfDevicesOfTwoSegments) {
    Description description = two_units(variant());
    description.devices[1].rids = description.devices[0].rids;
    description.domains[1].did = description.domains[0].did;
    race(
        description, [](CrashKernel& kernel) { kernel.boot(); }, both_map);
}

TEST_P(Races, OfAUnitThatComesLate) {
    for (const takeover_mode mode : {TAKEOVER_ADOPT, TAKEOVER_BLOCK})
        race(
            two_units(variant()),
            [=](CrashKernel& kernel) {
                kernel.learn();
                kernel.snapshot(0);
                kernel.adopt(0, mode);
                kernel.install(0);
            },
            [=](CrashKernel& kernel) -> std::vector<std::function<void()>> {
                return {[&kernel] { kernel.map(0); },
                        [&kernel, mode] {
                            kernel.snapshot(1);
                            kernel.adopt(1, mode);
                            kernel.install(1);
                        }};
            });
}

INSTANTIATE_TEST_SUITE_P(All, Races, testing::Range(0U, 4U));

} // namespace
