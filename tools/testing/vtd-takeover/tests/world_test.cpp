// SPDX-License-Identifier: GPL-2.0-only
//
// The takeover's own code in the harness: small worlds, every order of release, every capability
// that changes what software has to do.

#include <algorithm>
#include <numeric>

#include <gtest/gtest.h>

#include "harness/world.h"

namespace {

using namespace vtd::harness;

constexpr Hpa page_of(unsigned n) { return {0x10800000 + n * page_size}; }

// The ids that a new kernel gives away first. Two devices in one domain, one of them with a
// device-TLB; one behind a bridge's alias; one passed through.
Description small(Capabilities capabilities, bool scalable) {
    Description world{
        .capabilities = capabilities, .scalable = scalable, .domains = {}, .devices = {}};
    world.domains = {{{1}, {{{0x1000}, page_of(0)}, {{0x40002000}, page_of(1), true, false}}},
                     {{2}, {{{0x1000}, page_of(2)}}},
                     {{3}, {{{page_of(3).value}, page_of(3)}}, true}};
    world.devices = {{{Rid::of(0, 1, 0)}, 0},
                     {{Rid::of(0, 31, 2)}, 0, true},
                     {{Rid::of(3, 4, 0), Rid::of(3, 0, 0)}, 1},
                     {{Rid::of(0, 2, 0)}, 2}};
    return world;
}

struct Variant {
    bool scalable, coherent, write_buffer, caching_mode, esrtps;
};

Capabilities capabilities(const Variant& variant) {
    return {.cap = 2 | u64{variant.write_buffer} << 4 | u64{variant.caching_mode} << 7 |
                   u64{1} << 10 | u64{47} << 16 | u64{0x40} << 24 | u64{variant.esrtps} << 63,
            .ecap = u64{variant.coherent} | 1 << 2 | 1 << 6 | u64{1} << 43 | u64{1} << 46 |
                    u64{1} << 40,
            .host_width = 48};
}

class Worlds : public testing::TestWithParam<unsigned> {
protected:
    static Variant variant() {
        const unsigned bits = GetParam();
        return {(bits & 1) != 0, (bits & 2) != 0, (bits & 4) != 0, (bits & 8) != 0,
                (bits & 16) != 0};
    }
};

TEST_P(Worlds, EveryOrderOfRelease) {
    const Description description = small(capabilities(variant()), variant().scalable);
    std::vector<std::size_t> order(description.devices.size());
    std::iota(order.begin(), order.end(), 0);
    unsigned long checks = 0, walks = 0;
    do {
        World world(description);
        world.adopt();
        ASSERT_EQ(world.install(), 0);
        for (const std::size_t device : order)
            world.map(device, {0x1000}, {0x13000000}); // the same address as before
        checks += world.checks;
        walks += world.walks;
    } while (std::ranges::next_permutation(order).found);
    RecordProperty("checks", std::to_string(checks));
    RecordProperty("walks", std::to_string(walks));
    EXPECT_GT(checks, 24U * 50);
}

INSTANTIATE_TEST_SUITE_P(All, Worlds, testing::Range(0U, 32U));

} // namespace
