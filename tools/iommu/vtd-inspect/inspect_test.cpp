// SPDX-License-Identifier: GPL-2.0-only
//
// vtd-inspect's commands on tables written by hand, and on tables at random that are wrong in every
// way: there what it lists has to be what translate() answers, address by address.

#include <filesystem>
#include <fstream>

#include <fmt/format.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include "compare/tables.h"
#include "model/registers.h"
#include "view.h"

namespace {

using namespace vtd::inspect;
namespace fs = std::filesystem;

constexpr u64 ram_bytes = 16 << 20;

class Inspect : public testing::Test {
protected:
    Inspect() : folder_(fs::temp_directory_path() / own_name()), words(ram_bytes / sizeof(u64)) {
        fs::create_directories(folder_);
    }
    ~Inspect() override { fs::remove_all(folder_); }

    static std::string own_name() {
        const auto* test = testing::UnitTest::GetInstance()->current_test_info();
        return "vtd-inspect-" + std::to_string(getpid()) + "-" + test->name();
    }

    u64& word(u64 at) { return words[at / sizeof(u64)]; }

    std::string file(const std::string& name) {
        const fs::path path = folder_ / name;
        std::ofstream out(path, std::ios::binary);
        out.write(reinterpret_cast<const char*>(words.data()), ram_bytes);
        return path.string();
    }
    Dump dump(const std::string& unit_text) {
        Dump found;
        found.ram.add(file("ram"));
        found.units.push_back(unit(unit_text, 0));
        return found;
    }

    // A device 00:03.0 with a 39-bit table: a page of 4 KiB, one of 2 MiB, both from 1 GiB on.
    Dump legacy() {
        word(0x1000) = 0x2001;
        word(0x2000 + 0x18 * 16) = 0x3001;
        word(0x2000 + 0x18 * 16 + 8) = 0x501;
        word(0x3000 + 8) = 0x4003;
        word(0x4000) = 0x5003;
        word(0x4000 + 8) = 0xa00083; // 2 MiB
        word(0x5000) = 0x700003;
        word(0x5000 + 8) = 0x701003;
        word(0x5000 + 16) = 0x702001;
        return dump(unit_text);
    }
    // The same device with a nested pair: second stage as it is, first stage one page.
    Dump nested(bool marks) {
        std::ranges::fill(words, 0);
        word(0x1000) = 0x2001;
        word(0x2000 + 0x18 * 32) = 0x3001;
        word(0x3000) = 0x4001;
        word(0x4000) = 0x10000 | u64{marks} << 9 | 3 << 6 | 1 << 2 | 1;
        word(0x4008) = 9;
        word(0x4010) = 0x20000;
        word(0x10000) = 0x11003;
        word(0x11000) = 0x83;
        word(0x20000) = 0x21007;
        word(0x21000) = 0x22007;
        word(0x22000) = 0x23007;
        word(0x23000) = 0x55007;
        return dump("cap=0xc002f0600,ecap=0x3f90406000000,rtaddr=0x1400");
    }
    static constexpr u64 base = 1 << 30;
    // SAGAW 39 and 48 bits, MGAW 48, large pages.
    static constexpr const char* unit_text =
        "cap=0xc002f0600,ecap=0xc2,rtaddr=0x1000,irta=0x8000,gsts=0xc0000000";

    fs::path folder_;
    std::vector<u64> words;
};

constexpr Rid nic = Rid::of(0, 3, 0);

TEST_F(Inspect, Units) {
    const Dump is = legacy();
    const Json found = units(is)["units"][0];
    EXPECT_EQ(found["unit"], "dmar0");
    EXPECT_EQ(found["translation"], true);
    EXPECT_EQ(found["interrupt_remapping"], false);
    EXPECT_EQ(found["mode"], "legacy");
    EXPECT_EQ(found["root_table"], "0x1000");
    EXPECT_EQ(found["interrupt_entries"], 2);
    EXPECT_EQ(found["can"]["guest_bits"], 48);
}

TEST_F(Inspect, PageRequestsThatWait) {
    EXPECT_TRUE(units(legacy())["units"][0]["page_requests"].is_null());
    const std::string queue = std::string(unit_text) + ",pqa=0x9001,pqh=0x1fc0,pqt=0x20";
    EXPECT_EQ(units(dump(queue + ",prs=0x3"))["units"][0]["page_requests"],
              (Json{{"queue", "0x9000"}, {"entries", 256}, {"waiting", 3}, {"overflow", true}}));
    EXPECT_EQ(units(dump(queue + ",prs=1"))["units"][0]["page_requests"]["overflow"], false);
}

TEST_F(Inspect, RegistersFromAFile) {
    for (const auto& [at, value] : {std::pair{reg::cap, 0xc002f0600ULL},
                                    {reg::ecap, 0xc2ULL},
                                    {reg::gcmd, 0x80000000ULL << 32},
                                    {reg::rtaddr, 0x1000ULL},
                                    {reg::irta, 0x8007ULL},
                                    {reg::pqh, 0x20ULL},
                                    {reg::pqt, 0x40ULL},
                                    {reg::pqa, 0x9001ULL},
                                    {reg::prs - 4, 2ULL << 32}})
        word(at) = value;
    const UnitState one = unit("name=gpu,registers=" + file("registers"), 3);
    EXPECT_EQ(one.name, "gpu");
    EXPECT_EQ(one.hardware.capabilities.cap, 0xc002f0600);
    EXPECT_EQ(one.hardware.capabilities.ecap, 0xc2U);
    EXPECT_EQ(one.gsts, 0x80000000U);
    EXPECT_EQ(one.hardware.rtaddr, 0x1000U);
    EXPECT_EQ(one.irta, 0x8007U);
    EXPECT_EQ(one.pqh, 0x20U);
    EXPECT_EQ(one.pqt, 0x40U);
    EXPECT_EQ(one.pqa, 0x9001U);
    EXPECT_EQ(one.prs, page_request_status::pro);
    // In whatever order: what is said of one register is meant.
    EXPECT_EQ(unit("rtaddr=0x5000,registers=" + file("registers"), 3).hardware.rtaddr, 0x5000U);
}

TEST_F(Inspect, Devices) {
    const Json found = devices(legacy())["devices"];
    ASSERT_EQ(found.size(), 1U);
    EXPECT_EQ(found[0]["bdf"], "00:03.0");
    EXPECT_EQ(found[0]["leads_to"]["kind"], "second-stage");
    EXPECT_EQ(found[0]["leads_to"]["domain"], 5);
    EXPECT_EQ(found[0]["leads_to"]["top"], "0x3000");
    EXPECT_EQ(found[0]["leads_to"]["levels"], 3);
    EXPECT_EQ(found[0]["entry"]["at"], "0x2180");
    EXPECT_EQ(found[0]["entry"]["fields"]["did"], 5);
}

TEST_F(Inspect, Map) {
    const Dump is = legacy();
    const Json found = map(is, is.units[0], nic, {});
    EXPECT_EQ(found["complete"], true);
    ASSERT_EQ(found["ranges"].size(), 3U);
    EXPECT_EQ(found["ranges"][0]["iova"], "0x40000000");
    EXPECT_EQ(found["ranges"][0]["last"], "0x40001fff");
    EXPECT_EQ(found["ranges"][0]["address"], "0x700000");
    EXPECT_EQ(found["ranges"][0]["rights"], "rw");
    EXPECT_EQ(found["ranges"][1]["rights"], "r-");
    EXPECT_EQ(found["ranges"][2]["iova"], "0x40200000");
    EXPECT_EQ(found["ranges"][2]["page"], 2 << 20);

    MapOptions one;
    one.limit = 1;
    const Json part = map(is, is.units[0], nic, one);
    EXPECT_EQ(part["ranges"].size(), 1U);
    EXPECT_EQ(part["complete"], false);
}

TEST_F(Inspect, TranslateTellsEachStep) {
    const Dump is = legacy();
    const Json found = translate(is, is.units[0], nic, {base + 0x1234}, {});
    EXPECT_EQ(found["address"], "0x701234");
    ASSERT_EQ(found["steps"].size(), 5U);
    EXPECT_EQ(found["steps"][1]["table"], "context entry");
    EXPECT_EQ(found["steps"][2]["level"], 3);
    EXPECT_EQ(found["steps"][4]["level"], 1);
    EXPECT_EQ(found["steps"][4]["at"], "0x5008");

    TranslateOptions writes;
    writes.access = Access::write;
    const Json refused = translate(is, is.units[0], nic, {base + 0x2000}, writes);
    EXPECT_EQ(refused["fault"]["reason"], 5);
    EXPECT_FALSE(refused.contains("address"));
}

TEST_F(Inspect, NestedWalksTellTheLevelsOfBothStages) {
    const Dump is = nested(false);
    const Json found = translate(is, is.units[0], nic, {0x123}, {});
    ASSERT_TRUE(found.contains("address")) << found.dump(1);
    EXPECT_EQ(found["address"], "0x55123");
    std::vector<std::string> levels;
    for (const Json& step : found["steps"]) {
        if (step.contains("level"))
            levels.push_back(step["table"].get<std::string>().substr(0, 1) + step["level"].dump());
    }
    EXPECT_EQ(levels, (std::vector<std::string>{"s3", "s2", "f4", "s3", "s2", "f3", "s3", "s2",
                                                "f2", "s3", "s2", "f1", "s3", "s2"}));
    const Json pages = map(is, is.units[0], nic, {})["ranges"];
    ASSERT_EQ(pages.size(), 1U);
    EXPECT_EQ(pages[0]["address"], "0x55000");
    EXPECT_EQ(devices(is)["devices"][0]["leads_to"]["kind"], "nested");
}

TEST_F(Inspect, CheckFindsWhatReachesARange) {
    const Dump is = legacy();
    EXPECT_TRUE(check(is, {})["findings"].empty());
    const Json found = check(is, {{range("crash=0xa10000-0xa10fff")}, 100})["findings"];
    ASSERT_EQ(found.size(), 1U);
    EXPECT_EQ(found[0]["kind"], "reaches");
    EXPECT_EQ(found[0]["bdf"], "00:03.0");
    EXPECT_EQ(found[0]["where"]["iova"], "0x40210000");
    EXPECT_EQ(found[0]["where"]["bytes"], 0x1000);
    const Json table = check(is, {{range("0x5000-0x5fff")}, 100})["findings"];
    ASSERT_EQ(table.size(), 1U);
    EXPECT_EQ(table[0]["kind"], "table");
}

TEST_F(Inspect, CheckFindsWhatIsIllegal) {
    legacy();
    word(0x5018) = 0x703003 | u64{1} << 62; // reserved bit
    word(0x4010) = 0xf0000003;              // a table in no memory
    word(0x2000 + 0x20 * 16) = 0x6001;      // 00:04.0, a width that the unit lacks
    word(0x2000 + 0x20 * 16 + 8) = 0x607;   //
    word(0x1010) = 0xf0001001;              // bus 1: a context table in no memory
    word(0x8010) = 0x310061;                // delivery mode 3
    const Json found = check(dump(unit_text), {})["findings"];
    ASSERT_EQ(found.size(), 5U) << found.dump(1);
    EXPECT_EQ(found[0]["where"]["at"], "0x5018");
    EXPECT_EQ(found[1]["where"]["at"], "0xf0000000");
    EXPECT_EQ(found[2]["bdf"], "00:04.0");
    EXPECT_EQ(found[2]["where"]["reason"], 3);
    EXPECT_EQ(found[3]["bdf"], "01:00.0");
    EXPECT_EQ(found[4]["where"]["index"], 1);
}

TEST_F(Inspect, TablesThatContainThemselvesAreVisitedOnce) {
    legacy();
    for (u64 slot = 0; slot < 512; slot++)
        word(0x3000 + slot * 8) = 0x3003; // all levels, and every page
    const Dump is = dump(unit_text);
    const Json found = check(is, {{range("0x3000-0x3fff")}, 0});
    EXPECT_EQ(found["tables"], 3);
    MapOptions few;
    few.limit = 10;
    EXPECT_EQ(map(is, is.units[0], nic, few)["complete"], false);
}

TEST_F(Inspect, Interrupts) {
    word(0x8010) = 0x310001;
    word(0x8018) = 0x40018;
    const Dump is = dump(unit_text);
    const Json found = interrupts(is, is.units[0]);
    EXPECT_EQ(found["entries"], 2);
    ASSERT_EQ(found["present"].size(), 1U);
    EXPECT_EQ(found["present"][0]["index"], 1);
    EXPECT_EQ(found["present"][0]["fields"]["v"], 0x31);
    EXPECT_EQ(found["present"][0]["fields"]["sid"], 0x18);
}

TEST_F(Inspect, DiffNamesTables) {
    legacy();
    word(0x5000) |= 1 << 8; // legacy mode has no accessed bits
    word(0x5008) = 0;
    word(0x900000) = 1;
    const std::string after = file("after");
    const Dump is = [this] {
        word(0x900000) = 0;
        return legacy();
    }();
    const Json found = diff(is, is.ram.elsewhere({after}), {range("0x0-0xffffffff")});
    EXPECT_EQ(found["pages"], Json::array({"0x5000", "0x900000"}));
    ASSERT_EQ(found["tables"].size(), 2U);
    EXPECT_EQ(found["tables"][0]["at"], "0x5000");
    EXPECT_EQ(found["tables"][0]["by_hardware"], false);
    EXPECT_EQ(found["tables"][1]["by_hardware"], false);
    EXPECT_EQ(found["tables"][1]["what"], "second-stage table, level 1, of 00:03.0");
    EXPECT_EQ(found["tables_looked_at"], 6); // root, context, three levels, interrupts

    const Json other = diff(is, is.ram.elsewhere({after}), {range("0x800000-0xffffff")});
    EXPECT_EQ(other["pages"], Json::array({"0x900000"}));
    EXPECT_EQ(other["tables_looked_at"], 0);
    EXPECT_TRUE(
        diff(is, is.ram.elsewhere({file("same")}), {range("0-0xffffffff")})["pages"].empty());
}

TEST_F(Inspect, DiffTellsTheUnitsOwnBits) {
    for (const bool marks : {false, true}) {
        const Dump is = nested(marks);
        word(0x23000) |= 1 << 5 | 1 << 6; // first stage: accessed, dirty
        word(0x11000) |= 1 << 8;          // second stage: accessed, with SSADE
        word(0x20000) &= ~u64{4};         // nobody clears a bit
        const Json found = diff(is, is.ram.elsewhere({file("after")}), {range("0-0xffffff")});
        ASSERT_EQ(found["tables"].size(), 3U);
        for (const Json& change : found["tables"])
            EXPECT_EQ(change["by_hardware"],
                      change["at"] == "0x23000" || (marks && change["at"] == "0x11000"))
                << change.dump();
    }
}

TEST_F(Inspect, DiffOfFilesInPiecesWithHoles) {
    const auto sparse = [this](const std::string& name, std::initializer_list<u64> marks) {
        const std::string path = (folder_ / name).string();
        std::ofstream out(path, std::ios::binary);
        for (const u64 at : marks) {
            out.seekp(static_cast<std::streamoff>(at));
            out.put('x');
        }
        out.close();
        fs::resize_file(path, 8 << 20);
        return path;
    };
    const std::string one = sparse("one", {0x1000, 0x500000});
    const std::string two = sparse("two", {0x1000, 0x2fff, 0x300000, 0x7ff000});
    Ram ram;
    ram.add(one + ":0:0x400000:0");
    ram.add(one + ":0x100000000:0x400000:0x400000");
    const auto found =
        ram.changed(ram.elsewhere({two}), {range("0-0x2fffff"), range("0x100000000-0x1ffffffff")});
    EXPECT_EQ(found, (std::vector<Hpa>{{0x2000}, {0x100100000}, {0x1003ff000}}));
}

TEST_F(Inspect, EntryIsWhatOneWouldWrite) {
    const Dump is = legacy();
    const UnitState& of = is.units[0];
    Json found = entry(is, of, {"context", "00:03.0", "", {"pointer=0xfed90000", "tt=3"}, {}});
    EXPECT_EQ(found["at"], "0x2180");
    EXPECT_EQ(found["words"], Json::array({"0xfed9000d", "0x501"}));
    found = entry(is, of, {"root", "00:03.0", "", {"reserved=0x2a8"}, {}});
    EXPECT_EQ(found["at"], "0x1000");
    EXPECT_EQ(found["words"], Json::array({"0x2551", "0x0"}));
    EXPECT_EQ(found["pointer"], "0x2000");
    found = entry(is, of, {"context", "00:05.0", "0x0,0x0", {"p=1", "did=0x77", "aw=1"}, {}});
    EXPECT_EQ(found["at"], "0x2280"); // not present, and yet it has a place
    EXPECT_EQ(found["words"], Json::array({"0x1", "0x7701"}));
    found = entry(is, of, {"irte", "1", "0x0,0x0", {"p=1", "v=0x31", "dlm=4"}, {}});
    EXPECT_EQ(found["at"], "0x8010");
    EXPECT_EQ(found["words"], Json::array({"0x310081", "0x0"}));
    found = entry(is, of, {"rtaddr", "", "", {"pointer=0x7000", "ttm=1"}, {}});
    EXPECT_EQ(found["register"], "0x20");
    EXPECT_EQ(found["words"], Json::array({"0x7400"}));
}

TEST_F(Inspect, WhatCannotBeDoneIsSaid) {
    const Dump is = legacy();
    const UnitState& of = is.units[0];
    EXPECT_THROW(entry(is, of, {"context", "01:00.0", "", {}, {}}), Problem); // no context table
    EXPECT_THROW(entry(is, of, {"pasid", "00:03.0", "", {}, {}}), Problem);
    EXPECT_THROW(entry(is, of, {"irte", "2", "", {}, {}}), Problem);
    EXPECT_THROW(entry(is, of, {"context", "00:03.0", "", {"vector=1"}, {}}), Problem);
    EXPECT_THROW(entry(is, of, {"context", "00:03.0", "", {"tt=4"}, {}}), Problem);
    EXPECT_THROW(entry(is, of, {"context", "00:03.0", "", {"pointer=0x123"}, {}}), Problem);
    EXPECT_THROW(entry(is, of, {"context", "00:03.0", "0x1", {}, {}}), Problem);
    EXPECT_THROW(entry(is, of, {"device", "00:03.0", "", {}, {}}), Problem);
    for (const char* text : {"3", "00:03", "00:20.0", "00:03.8", "00:03.0x", "0:0:0:0.0", "g:0.0"})
        EXPECT_THROW(parse_bdf(text), Problem) << text;
    EXPECT_EQ(parse_bdf("1000:e1:00.0").segment, 0x1000U);
    EXPECT_EQ(parse_bdf("1000:e1:00.0").rid, Rid::of(0xe1, 0, 0));
    for (const char* text : {"5", "5-", "9-5", "a=b-c", "-1-2"})
        EXPECT_THROW(range(text), Problem) << text;
    for (const char* text : {"", "cap=1", "rtaddr=1", "cap=1,rtaddr=x", "cap=1,rtaddr=1,haw=60",
                             "cap=1,rtaddr=1,speed=1", "registers=/nonexistent"})
        EXPECT_THROW(unit(text, 0), Problem) << text;
    Ram ram;
    const std::string path = file("some");
    for (const std::string& text :
         {std::string("/nonexistent"), path + ":1", path + ":0:0x2000000", path + ":0:0x1000:0xfff",
          path + ":0xfffffffffffff000:0x2000", path + ":x", std::string("/")})
        EXPECT_THROW(ram.add(text), Problem) << text;
    ram.add(path);
    EXPECT_THROW(ram.add(path + ":0xfff000"), Problem); // overlaps
    EXPECT_THROW(ram.elsewhere({}), Problem);
    EXPECT_THROW(ram.elsewhere({path, path}), Problem);
    EXPECT_THROW(unit_of(is, 1, ""), Problem);
    EXPECT_EQ(&unit_of(is, {}, ""), &of);
    Dump two = legacy();
    two.units.push_back(unit("name=gpu,segment=1,cap=1,rtaddr=0", 1));
    EXPECT_THROW(unit_of(two, {}, ""), Problem);
    EXPECT_EQ(unit_of(two, {}, "gpu").segment, 1U);
    EXPECT_EQ(unit_of(two, 1, "").name, "gpu");
    EXPECT_THROW(unit_of(is, 0, "dmar1"), Problem);
}

// All of memory as tables, and tables as noise: nothing is believed, and there is an end.
TEST_F(Inspect, Noise) {
    std::mt19937_64 random(7);
    for (u64& one : words)
        one = random() & random() & (ram_bytes - 1) & ~u64{0xff8};
    for (const char* mode : {"0x1000", "0x1400", "0x1800", "0x1c00", "0xfffff000"}) {
        Dump is =
            dump("cap=0xc002f0600,ecap=0x3d90406000000,irta=0x800f,rtaddr=" + std::string(mode));
        EXPECT_NO_THROW(devices(is));
        EXPECT_NO_THROW(check(is, {{range("0-0x10000")}, 5}));
        EXPECT_NO_THROW(interrupts(is, is.units[0]));
    }
}

// What map lists is what translate answers: of tables at random, right and wrong, every address
// that was tried is either in the list, and leads there, or it faults.
class Listed : public Inspect, public testing::WithParamInterface<vtd::compare::Mode> {};

TEST_P(Listed, IsWhatIsTranslated) {
    using vtd::compare::Mode;
    const std::vector<Rid> rids{Rid::of(0, 1, 0), Rid::of(0, 2, 0), Rid::of(5, 0x11, 3)};
    Capabilities can{.cap = 0x8c012f0686, .ecap = 0x3d90406000000 | 0xc2, .host_width = 48};
    unsigned translated = 0, faulted = 0;
    for (u64 seed = 1; seed <= 40; seed++) {
        std::ranges::fill(words, 0);
        vtd::compare::Tables random(words, GetParam(), can, rids, seed);
        const auto tries = random.tries(100);
        Dump is;
        is.ram.add(file("ram"));
        is.units.push_back({"dmar0", 0, {can, random.rtaddr()}, 0, 0});
        std::vector<Json> lists;
        MapOptions all;
        all.limit = 0;
        for (const Rid rid : rids)
            lists.push_back(map(is, is.units[0], rid, all));
        for (const auto& one : tries) {
            TranslateOptions options;
            options.access = one.read ? Access::read : Access::write;
            const Json is_at = translate(is, is.units[0], rids[one.device], one.iova, options);
            const Json& list = lists[one.device];
            if (list["leads_to"]["kind"] == "pass-through")
                continue;
            std::string listed;
            for (const Json& range : list["ranges"]) {
                const u64 first = number(range["iova"]), last = number(range["last"]);
                const std::string rights = range["rights"];
                if (first <= one.iova.value && one.iova.value <= last &&
                    rights[one.read ? 0 : 1] != '-' && range["user"] == true)
                    listed =
                        fmt::format("{:#x}", number(range["address"]) + one.iova.value - first);
            }
            if (is_at.contains("address")) {
                EXPECT_EQ(listed, is_at["address"]) << "seed " << seed << is_at.dump(1);
                translated++;
            } else {
                const unsigned reason = is_at["fault"]["reason"];
                // 3.14: what is listed is what tables say; interrupts come after them.
                if (reason != 0x0e && reason != 0x87) {
                    EXPECT_EQ(listed, "") << "seed " << seed << is_at.dump(1);
                }
                faulted++;
            }
        }
    }
    EXPECT_GT(translated, 400U);
    EXPECT_GT(faulted, 400U);
}

INSTANTIATE_TEST_SUITE_P(Modes, Listed,
                         testing::Values(vtd::compare::Mode::legacy, vtd::compare::Mode::second,
                                         vtd::compare::Mode::first));

} // namespace
