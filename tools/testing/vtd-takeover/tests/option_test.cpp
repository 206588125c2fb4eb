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
    takeover_options options{};
    EXPECT_EQ(takeover_parse_options("off", &options), 0);
    EXPECT_EQ(options.mode, TAKEOVER_OFF);
    EXPECT_FALSE(options.reset);
    EXPECT_FALSE(options.noguard);
    EXPECT_EQ(options.quarantine, TAKEOVER_SCRATCH);
    EXPECT_EQ(takeover_parse_options("block,reset", &options), 0);
    EXPECT_EQ(options.mode, TAKEOVER_BLOCK);
    EXPECT_TRUE(options.reset);
    EXPECT_FALSE(options.noguard);
    EXPECT_EQ(takeover_parse_options("adopt,reset,quarantine=block,noguard,reset", &options), 0);
    EXPECT_EQ(options.mode, TAKEOVER_ADOPT);
    EXPECT_TRUE(options.reset);
    EXPECT_TRUE(options.noguard);
    EXPECT_EQ(options.quarantine, TAKEOVER_CUT);
    // The last word counts.
    EXPECT_EQ(takeover_parse_options("adopt,quarantine=block,quarantine=scratch", &options), 0);
    EXPECT_EQ(options.quarantine, TAKEOVER_SCRATCH);
    // What was said before does not linger.
    EXPECT_FALSE(options.reset);
    EXPECT_FALSE(options.noguard);
    EXPECT_FALSE(options.strict);
    EXPECT_EQ(takeover_parse_options("adopt,guard=strict", &options), 0);
    EXPECT_TRUE(options.strict);
}

TEST(Option, IsNothingIfAnyOfItIsUnknown) {
    for (const char* arg : {"of",
                            "offs",
                            "",
                            ",reset",
                            "reset",
                            "adopt,",
                            "adopt,rese",
                            "adopt,resets",
                            "adopt reset",
                            "adopt,reset,",
                            "adopt,perhaps",
                            "adopt,perhaps,reset",
                            "adopt,reset,perhaps",
                            "adopt,quarantine",
                            "adopt,quarantine=",
                            "adopt,quarantine=blocks",
                            "adopt,guard",
                            "adopt,guard=",
                            "adopt,guard=stricter",
                            "noguard"}) {
        takeover_options options{TAKEOVER_OFF, TAKEOVER_CUT, true, true, true};
        EXPECT_EQ(takeover_parse_options(arg, &options), -EINVAL) << arg;
        EXPECT_EQ(options.mode, TAKEOVER_OFF) << arg;
        EXPECT_TRUE(options.reset && options.noguard && options.quarantine == TAKEOVER_CUT) << arg;
    }
    takeover_options options{
        .mode = TAKEOVER_OFF, .quarantine = {}, .reset = {}, .noguard = {}, .strict = {}};
    EXPECT_EQ(takeover_parse_options(nullptr, &options), -EINVAL);
    EXPECT_EQ(options.mode, TAKEOVER_OFF);
}

} // namespace
