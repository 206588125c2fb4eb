// SPDX-License-Identifier: GPL-2.0-only
//
// intel_iommu_takeover=: what may be said, and that nothing else is half believed.

#include <cerrno>

#include <gtest/gtest.h>

extern "C" {
#include "unit.h"
}

namespace {

TEST(Option, IsAModeAndWhatFollowsIt) {
    takeover_mode mode = TAKEOVER_ADOPT;
    bool reset = false;
    EXPECT_EQ(takeover_parse_mode("off", &mode, &reset), 0);
    EXPECT_EQ(mode, TAKEOVER_OFF);
    EXPECT_FALSE(reset);
    EXPECT_EQ(takeover_parse_mode("block,reset", &mode, &reset), 0);
    EXPECT_EQ(mode, TAKEOVER_BLOCK);
    EXPECT_TRUE(reset);
    EXPECT_EQ(takeover_parse_mode("adopt,reset,reset", &mode, &reset), 0);
    EXPECT_EQ(mode, TAKEOVER_ADOPT);
    EXPECT_TRUE(reset);
    // What was said before does not linger.
    EXPECT_EQ(takeover_parse_mode("block", &mode, &reset), 0);
    EXPECT_EQ(mode, TAKEOVER_BLOCK);
    EXPECT_FALSE(reset);
}

TEST(Option, IsNothingIfAnyOfItIsUnknown) {
    for (const char* arg : {"of", "offs", "", ",reset", "reset", "adopt,", "adopt,rese",
                            "adopt,resets", "adopt reset", "adopt,reset,", "adopt,perhaps",
                            "adopt,perhaps,reset", "adopt,reset,perhaps"}) {
        takeover_mode mode = TAKEOVER_OFF;
        bool reset = true;
        EXPECT_EQ(takeover_parse_mode(arg, &mode, &reset), -EINVAL) << arg;
        EXPECT_EQ(mode, TAKEOVER_OFF) << arg;
        EXPECT_TRUE(reset) << arg;
    }
    takeover_mode mode = TAKEOVER_OFF;
    bool reset = false;
    EXPECT_EQ(takeover_parse_mode(nullptr, &mode, &reset), -EINVAL);
    EXPECT_EQ(mode, TAKEOVER_OFF);
}

} // namespace
