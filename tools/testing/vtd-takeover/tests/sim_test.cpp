// SPDX-License-Identifier: GPL-2.0-only
//
// vtd-sim: each strategy loses what it is known to lose, on the machine that shows it, and the
// takeover nothing on any. And machines out of files.

#include <algorithm>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "sim/scenes.h"
#include "sim/strategies.h"

namespace {

using namespace vtd::sim;
using nlohmann::json;

Losses lost(std::size_t strategy, std::string_view scene = "") {
    Losses sum;
    bool found = false;
    for (const Scene& one : scenes()) {
        if (!scene.empty() && one.name != scene)
            continue;
        sum += strategies()[strategy].run(one);
        found = true;
    }
    EXPECT_TRUE(found) << scene;
    return sum;
}

// By their place in the list.
enum : std::size_t { off, block, scratch, off_and_on, keep, in_place, beside, reset_all, takeover };

TEST(Sim, OffOverwritesMemoryAndGarblesDisks) {
    const Losses all = lost(off);
    EXPECT_GT(all.dumps, 0U);
    EXPECT_GT(all.crash_pages, 0U);
    EXPECT_GT(all.old_pages, 0U);
    EXPECT_GT(all.blocks_garbled, 0U);
    EXPECT_EQ(lost(off, "a disk in pass-through").blocks_garbled, 0U);
}

TEST(Sim, BlockingKillsFragileDevices) {
    EXPECT_EQ(lost(block, "a network card and a disk at work").dumps, 0U);
    EXPECT_GT(lost(block, "a network card and a disk at work").aborts, 0U);
    const Losses fragile = lost(block, "a disk that no abort may hit");
    EXPECT_EQ(fragile.dumps, 1U);
    EXPECT_EQ(fragile.dead, 1U);
    EXPECT_EQ(lost(block).crash_pages + lost(block).old_pages, 0U);
}

TEST(Sim, AScratchPageNullsDisks) {
    const Losses all = lost(scratch);
    EXPECT_GT(all.blocks_nulled, 0U);
    EXPECT_EQ(all.dumps + all.aborts + all.crash_pages + all.dead, 0U);
}

TEST(Sim, OffAndOnHasBothFaults) {
    EXPECT_GT(lost(off_and_on).crash_pages, 0U);
    EXPECT_EQ(lost(off_and_on, "a disk that no abort may hit").dumps, 1U);
    EXPECT_GT(lost(off_and_on).aborts, lost(off).aborts);
}

TEST(Sim, WithoutTheSwapNoDriverWorks) {
    EXPECT_EQ(lost(keep, "a network card and a disk at work").dumps, 1U);
    EXPECT_EQ(lost(keep).aborts, 0U);
}

TEST(Sim, TablesInPlaceAreTheDumps) {
    const Losses all = lost(in_place);
    EXPECT_GT(all.old_changed, 0U);
    EXPECT_EQ(all.dumps + all.aborts + all.crash_pages, 0U);
}

TEST(Sim, OldMappingsBesideNewOnesClash) {
    const Losses early = lost(beside, "a driver that maps before it resets");
    EXPECT_EQ(early.crash_pages, 1U);
    EXPECT_EQ(early.dumps, 1U);
    EXPECT_TRUE(lost(beside, "a network card and a disk at work").none());
}

TEST(Sim, ResetHelpsWhereThereIsOne) {
    EXPECT_TRUE(lost(reset_all, "a disk that no abort may hit").none());
    EXPECT_EQ(lost(reset_all, "a disk that cannot be reset").dumps, 1U);
}

TEST(Sim, TheTakeoverLosesNothing) {
    for (const Scene& scene : scenes())
        EXPECT_TRUE(strategies()[takeover].run(scene).none()) << scene.name;
    EXPECT_EQ(strategies().size(), takeover + 1);
}

TEST(Sim, MachinesSurviveAFile) {
    for (const Scene& scene : scenes()) {
        const auto text = as_json(scene);
        const Scene again = read(json::parse(text.dump()));
        EXPECT_EQ(as_json(again), text);
        for (const Strategy& strategy : strategies()) {
            Losses once = strategy.run(scene), twice = strategy.run(again);
            EXPECT_EQ(once.aborts, twice.aborts) << scene.name << ": " << strategy.name;
            EXPECT_EQ(once.dumps, twice.dumps);
        }
    }
}

TEST(Sim, FilesThatAreNoMachines) {
    const json good = json::parse(as_json(scenes().front()).dump());
    EXPECT_NO_THROW(read(good));
    const auto broken = [&](const std::function<void(json&)>& how) {
        json bad = good;
        how(bad);
        EXPECT_THROW(read(bad), Problem) << bad.dump();
    };
    broken([](json& bad) { bad.erase("domains"); });
    broken([](json& bad) { bad["devices"] = 3; });
    broken([](json& bad) { bad["devices"].clear(); });
    broken([](json& bad) { bad["devices"][0]["bdf"] = "1:2"; });
    broken([](json& bad) { bad["devices"][0]["bdf"] = "00:20.0"; });
    broken([](json& bad) { bad["devices"][0]["domain"] = 2; });
    broken([](json& bad) { bad["devices"][0]["is"].push_back("green"); });
    broken([](json& bad) { bad["domains"][0]["id"] = 0; });
    broken([](json& bad) { bad["domains"][0]["pages"][0]["iova"] = "0x123"; });
    broken([](json& bad) { bad["domains"][0]["pages"][0]["to"] = "0x1000"; });
    broken([](json& bad) { bad["domains"][0]["pages"][0]["to"] = "page"; });
    broken([](json& bad) { bad["units"] = 0; });
    EXPECT_THROW(read(json::array()), Problem);
}

} // namespace
