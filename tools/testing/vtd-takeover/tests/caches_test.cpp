// SPDX-License-Identifier: GPL-2.0-only
//
// What a unit may do after software changed its tables, in the right order and in wrong ones. The
// wrong ones are those that the harness has to find in code under test.

#include <algorithm>

#include <gtest/gtest.h>

#include "model/explore.h"

namespace {

using namespace vtd::model;
namespace ctx = vtd::model::context;

constexpr Hpa ram{0x100000}, root_table{0x100000}, context_table{0x101000};
constexpr Hpa old_tables[] = {{0x112000}, {0x111000}, {0x110000}}; // by level, less one
constexpr Hpa new_tables[] = {{0x122000}, {0x121000}, {0x120000}};
constexpr Hpa old_page{0x180000}, new_page{0x190000};
constexpr Rid nic = Rid::of(0, 3, 0), disk = Rid::of(0, 4, 0);
constexpr Did old_did{5}, new_did{6};
constexpr Iova iova{0x12345000};
constexpr u64 rw = 3;

class Caching : public testing::Test {
protected:
    Caching() {
        moment.capabilities.cap = u64{0b10} << 8 | u64{38} << 16;
        moment.capabilities.ecap = 1; // C
        moment.roots = {root_table.value};
        memory.add(ram, 1 << 20, Owner::old_kernel);
        memory.store(root_table, context_table.value | 1);
        map(old_tables, old_page);
        map(new_tables, new_page);
        enter(nic, old_tables[2], old_did);
        settle();
    }

    Hpa entry(Rid rid) const { return context_table + rid.devfn() * 16U; }
    void map(const Hpa (&tables)[3], Hpa page) {
        memory.store(slot(tables, 3), tables[1].value | rw);
        memory.store(slot(tables, 2), tables[0].value | rw);
        memory.store(slot(tables, 1), page.value | rw);
    }
    static Hpa slot(const Hpa (&tables)[3], unsigned level) {
        return tables[level - 1] + (iova.value >> level_shift(level) & 511) * 8;
    }
    void enter(Rid rid, Hpa top, Did did) {
        memory.store(entry(rid) + 8, u64{did.value} << 8 | 1);
        memory.store(entry(rid), top.value | 1);
    }
    void clear(Rid rid) { memory.store(entry(rid), 0); }
    void settle() {
        memory.flush(ram, 1 << 20);
        memory.drain();
    }

    // Where a device may get to.
    std::set<Hpa> reach(Rid rid = nic) {
        const Request request{.rid = rid, .iova = iova};
        std::set<Hpa> found;
        for (const Outcome& outcome : explore(moment, request).outcomes)
            if (const auto* page = std::get_if<Translation>(&outcome))
                found.insert(page->address);
        return found;
    }
    bool may_fault(Rid rid = nic) {
        const auto found = explore(moment, Request{.rid = rid, .iova = iova}).outcomes;
        return std::ranges::any_of(
            found, [](const Outcome& outcome) { return std::holds_alternative<Fault>(outcome); });
    }
    using Places = std::set<Hpa>;

    Memory memory;
    Caches caches;
    Moment moment{{}, {}, memory, caches};
};

TEST_F(Caching, AnEntryIsForgottenInOrder) {
    EXPECT_EQ(reach(), Places{old_page});
    EXPECT_FALSE(may_fault());
    clear(nic);
    EXPECT_EQ(reach(), Places{old_page}); // from the caches
    EXPECT_TRUE(may_fault());
    caches.forget_contexts(old_did, nic, 0, false);
    EXPECT_TRUE(reach().empty()); // no entry leads to what is still cached
    caches.forget_pages(old_did);
    enter(nic, new_tables[2], old_did);
    EXPECT_EQ(reach(), Places{new_page});
}

// 6.1 of stock does this.
TEST_F(Caching, InvalidationBeforeTheChangeIsInVain) {
    reach();
    caches.forget_contexts(old_did, nic, 0, false);
    caches.forget_pages(old_did);
    reach(); // in between
    clear(nic);
    EXPECT_EQ(reach(), Places{old_page});
}

TEST_F(Caching, PagesAreForgottenAfterEntries) {
    reach();
    clear(nic);
    caches.forget_pages(old_did);
    reach(); // through the entry that is still cached
    caches.forget_contexts(old_did, nic, 0, false);
    enter(nic, new_tables[2], old_did);
    EXPECT_EQ(reach(), (Places{old_page, new_page}));
}

TEST_F(Caching, ADomainIdGivenAwayTwice) {
    reach();
    enter(disk, new_tables[2], old_did);
    EXPECT_EQ(reach(disk), (Places{old_page, new_page}));
    EXPECT_EQ(reach(nic), (Places{old_page, new_page}));
    enter(disk, new_tables[2], new_did);
    EXPECT_EQ(reach(disk), (Places{old_page, new_page})); // its old entry is cached
    caches.forget_contexts(old_did, disk, 0, false);
    EXPECT_EQ(reach(disk), Places{new_page});
}

TEST_F(Caching, InvalidationsNameWhatTheyRemove) {
    reach();
    clear(nic);
    for (const auto& [did, rid] : {std::pair{new_did, nic}, std::pair{old_did, disk}}) {
        caches.forget_contexts(did, rid, 0, false);
        EXPECT_EQ(reach(), Places{old_page});
    }
    caches.forget_contexts(new_did, nic, 0, true); // scalable mode does not look at the id
    EXPECT_TRUE(reach().empty());
    enter(nic, new_tables[2], old_did);
    caches.forget_pages(new_did);
    caches.forget_pages(old_did, {iova.value + page_size}, 0, true);
    EXPECT_EQ(reach(), (Places{old_page, new_page}));
    caches.forget_contexts();
    caches.forget_pages(old_did, {iova.value & ~u64{0xffff}}, 4, false);
    EXPECT_EQ(reach(), Places{new_page});
}

TEST_F(Caching, FunctionsAreMaskedFromTheLowEnd) {
    const Rid other = Rid::of(0, 3, 7);
    for (const auto& [mask, gone] : {std::pair{0U, 1U}, {1U, 1U}, {2U, 1U}, {3U, 2U}}) {
        caches.contexts = {{nic, old_did, {}}, {other, old_did, {}}};
        caches.forget_contexts(old_did, nic, mask, false);
        EXPECT_EQ(caches.contexts.size(), 2 - gone) << mask;
    }
    caches.contexts = {{Rid::of(0, 3, 4), old_did, {}}};
    caches.forget_contexts(old_did, nic, 1, false);
    EXPECT_TRUE(caches.contexts.empty());
}

TEST_F(Caching, ATableThatIsReplaced) {
    reach();
    memory.store(slot(old_tables, 2), new_tables[0].value | rw);
    EXPECT_EQ(reach(), (Places{old_page, new_page}));
    caches.forget_pages(old_did, iova, 0, true); // the hint says that only leaves changed
    EXPECT_EQ(reach(), (Places{old_page, new_page}));
    caches.forget_pages(old_did, iova, 0, false);
    EXPECT_EQ(reach(), Places{new_page});
}

TEST_F(Caching, AUnitThatDoesNotSnoopSeesFlushedLines) {
    moment.capabilities.ecap = 0;
    clear(nic);
    EXPECT_EQ(reach(), Places{old_page});
    EXPECT_TRUE(may_fault()); // the line may be written back at any time
    memory.flush(entry(nic), 8);
    caches.forget_contexts();
    caches.forget_pages();
    EXPECT_TRUE(reach().empty());
    enter(nic, new_tables[2], new_did);
    memory.flush(entry(disk), 8); // another line
    EXPECT_TRUE(may_fault());
    memory.flush(entry(nic), 8);
    EXPECT_FALSE(may_fault());
}

TEST_F(Caching, AWriteBufferIsDrained) {
    moment.capabilities.cap |= 1 << 4; // RWBF
    clear(nic);
    memory.flush(entry(nic), 8);
    caches.forget_contexts();
    EXPECT_EQ(reach(), Places{old_page});
    memory.drain();
    caches.forget_contexts();
    EXPECT_TRUE(reach().empty());
}

TEST_F(Caching, CachingModeRemembersWhatIsNotThere) {
    clear(nic);
    reach();
    enter(nic, new_tables[2], new_did);
    EXPECT_FALSE(may_fault());
    clear(nic);
    moment.capabilities.cap |= 1 << 7;
    caches = {};
    EXPECT_TRUE(reach().empty());
    enter(nic, new_tables[2], new_did);
    EXPECT_TRUE(may_fault());
    caches.forget_contexts(new_did, nic, 0, false);
    EXPECT_TRUE(may_fault());
    caches.forget_contexts({0}, nic, 0, false);
    EXPECT_FALSE(may_fault());
}

TEST_F(Caching, EitherRootUntilTheCommandIsSeenToComplete) {
    constexpr Hpa other_root{0x102000}, other_context{0x103000};
    memory.store(other_root, other_context.value | 1);
    memory.store(other_context + nic.devfn() * 16U + 8, u64{new_did.value} << 8 | 1);
    memory.store(other_context + nic.devfn() * 16U, new_tables[2].value | 1);
    moment.roots.insert(other_root.value);
    EXPECT_EQ(reach(), (Places{old_page, new_page}));
    moment.roots.erase(root_table.value);
    EXPECT_EQ(reach(), (Places{old_page, new_page}));
    caches.forget_contexts();
    EXPECT_EQ(reach(), Places{new_page});
}

TEST_F(Caching, RequestsFeedEachOther) {
    enter(disk, new_tables[2], old_did);
    const Request first{.rid = nic, .iova = iova}, second{.rid = disk, .iova = iova};
    const auto found = explore(moment, std::set{first, second});
    EXPECT_EQ(found.at(first).outcomes.size(), 2U);
    EXPECT_EQ(found.at(second).outcomes.size(), 2U);
    const auto& read = found.at(first).read;
    EXPECT_TRUE(std::ranges::binary_search(read, entry(nic)));
    EXPECT_FALSE(std::ranges::binary_search(read, entry(disk)));
}

TEST(MemoryOfTheModel, HasOwners) {
    Memory memory;
    u64 words[512] = {};
    memory.add({0x1000}, 0x2000, Owner::old_kernel);
    memory.attach({0x8000}, words, Owner::crash_kernel);
    EXPECT_EQ(memory.owner({0xfff}), Owner::nobody);
    EXPECT_EQ(memory.owner({0x2fff}), Owner::old_kernel);
    EXPECT_EQ(memory.owner({0x3000}), Owner::nobody);
    EXPECT_EQ(memory.owner({0x8008}), Owner::crash_kernel);
    EXPECT_TRUE(memory.seen({0x3000}, {}).empty());
    memory.store({0x8008}, 7);
    EXPECT_EQ(words[1], 7U);
    EXPECT_EQ(memory.seen({0x8008}, {}), (std::vector<u64>{7, 0}));
    words[1] = 8;
    memory.stored({0x8008}, 7);
    EXPECT_EQ(memory.seen({0x8008}, {}), (std::vector<u64>{8, 0, 7}));
    memory.flush({0x8000}, 1);
    EXPECT_EQ(memory.seen({0x8008}, {}), std::vector<u64>{8});
}

TEST_F(Caching, APageAnswersForItsOwnAddresses) {
    const Iova next{iova.value + page_size};
    memory.store(slot(old_tables, 1) + 8, new_page.value | rw);
    settle();
    const auto reach_next = [&] {
        std::set<Hpa> found;
        for (const Outcome& outcome : explore(moment, Request{.rid = nic, .iova = next}).outcomes)
            if (const auto* page = std::get_if<Translation>(&outcome))
                found.insert(page->address);
        return found;
    };
    EXPECT_EQ(reach(), Places{old_page});
    EXPECT_EQ(reach_next(), Places{new_page});
    EXPECT_EQ(reach(), Places{old_page});
}

} // namespace
